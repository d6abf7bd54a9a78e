package main

import (
	"encoding/json"
	"fmt"
	"os"
	"strings"
	"testing"

	peers "breakbank/bench/peers/router"
)

// peersRun runs a comparison of a moment and reads its result.
func peersRun(t *testing.T, args ...string) (r peers.Result, code int, stderr string) {
	t.Helper()
	if _, err := os.Stat("/proc/self/stat"); err != nil {
		t.Skip("SKIPPED: the processor time of other processes is read from Linux")
	}
	args = append([]string{"peers", "router", "--json", "--quick"}, args...)
	code, stdout, stderr := command(t, args...)
	if err := json.Unmarshal([]byte(stdout), &r); err != nil {
		t.Fatalf("exit code %d: %v: %s%s", code, err, stdout, stderr)
	}
	return r, code, stderr
}

// TestPeersRouter: our own router, on both data planes, next to nothing and to a
// relay, through the command. What is measured in a tenth of a second on a busy
// machine means nothing; that requests go through and are paid for does.
func TestPeersRouter(t *testing.T) {
	r, code, stderr := peersRun(t, "--only", "direct,relay,frames,raw-codec", "--blocks", "1", "--seconds", "0.1")
	if code != exitOK && code != exitInvalid {
		t.Errorf("exit code %d: %s", code, stderr)
	}
	if r.Schema != 1 || r.Kind != "peers" || r.Scenario != "router" || r.Environment.Cores == 0 || r.Partial || !r.Illustrative {
		t.Errorf("%+v", r)
	}
	if len(r.Missing) > 0 {
		t.Errorf("missing: %v", r.Missing)
	}
	measured := map[string]int64{}
	for _, c := range r.Cells {
		measured[c.Peer] += c.Requests
		if c.Failed > 0 || c.Requests == 0 {
			t.Errorf("%s, %s: %d requests, %d failed: %v", c.Peer, c.Case, c.Requests, c.Failed, c.Errors)
		}
		if c.Peer != "direct" && (c.CPUUs == nil || c.CPUUs.Value <= 0) {
			t.Errorf("%s, %s: no processor time", c.Peer, c.Case)
		}
	}
	if len(measured) != 4 {
		t.Errorf("only %v were measured", measured)
	}
	for _, b := range r.Bars {
		if strings.Contains(b.Says, "raw-codec") && b.Measured == nil {
			t.Errorf("%s: %s", b.Case, b.Why)
		}
		if strings.Contains(b.Unit, "haproxy") {
			t.Errorf("a bar about a peer that was not asked for: %+v", b)
		}
	}
}

// TestPeersRouterInterrupted: Ctrl-C in the middle leaves no process, and what
// was measured is printed and marked partial.
func TestPeersRouterInterrupted(t *testing.T) {
	if _, err := os.Stat("/proc/self/stat"); err != nil {
		t.Skip("SKIPPED: the processor time of other processes is read from Linux")
	}
	cmd, tmp, stdout, _ := start(t, "peers", "router", "--json", "--quick", "--blocks", "100", "--seconds", "0.02")
	seen := watch("block 2 of 100")
	cmd.Stderr = seen
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	select {
	case <-seen.seen:
	case err := <-ended:
		t.Fatalf("it ended: %v", err)
	case <-t.Context().Done():
	}
	if err := cmd.Process.Signal(os.Interrupt); err != nil {
		t.Fatal(err)
	}
	t.Logf("it ended: %v", <-ended) // bounded by the limit of the command
	nothingLeft(t, tmp)
	var r peers.Result
	if err := json.Unmarshal(stdout.Bytes(), &r); err != nil {
		t.Fatalf("%v: %s", err, stdout)
	}
	if code := cmd.ProcessState.ExitCode(); code != exitFailed || !r.Partial || r.Valid || len(r.Cells) == 0 {
		t.Errorf("exit code %d, partial %v, valid %v, %d cells", code, r.Partial, r.Valid, len(r.Cells))
	}
}

// TestPeersRouterHelp holds what the flags' help says against what is so.
func TestPeersRouterHelp(t *testing.T) {
	_, help, _ := command(t, "peers", "router", "--help")
	help = strings.Join(strings.Fields(help), " ")
	for _, want := range []string{
		strings.Join(peers.Names(), ", "),
		fmt.Sprintf("Default: %d, quick %d.", peers.DefaultBlocks, peers.QuickBlocks),
		fmt.Sprintf("Default: %g, quick %g.", peers.DefaultWindow.Seconds(), peers.QuickWindow.Seconds()),
	} {
		if !strings.Contains(help, want) {
			t.Errorf("does not say %q: %s", want, help)
		}
	}
}

func TestPeersRouterRefusesBadFlags(t *testing.T) {
	for name, c := range map[string]struct {
		args []string
		says []string
	}{
		"unknown peer":   {[]string{"--only", "traefik"}, []string{"traefik", "haproxy", "frames"}},
		"no blocks":      {[]string{"--blocks", "0"}, []string{"0 blocks"}},
		"no time":        {[]string{"--seconds", "0"}, []string{"window"}},
		"much time":      {[]string{"--seconds", "1e300"}, []string{"--seconds", "60"}},
		"not a number":   {[]string{"--seconds", "NaN"}, []string{"--seconds"}},
		"unknown flag":   {[]string{"--bolcks", "3"}, []string{"--bolcks"}},
		"blocks in word": {[]string{"--blocks", "few"}, []string{"--blocks"}},
	} {
		t.Run(name, func(t *testing.T) {
			code, stdout, stderr := command(t, append([]string{"peers", "router"}, c.args...)...)
			if lines := strings.Count(strings.TrimSpace(stderr), "\n") + 1; code != exitUsage || lines != 1 || stdout != "" {
				t.Errorf("exit code %d, %d lines: %s%s", code, lines, stdout, stderr)
			}
			for _, want := range c.says {
				if !strings.Contains(stderr, want) {
					t.Errorf("does not say %q: %s", want, stderr)
				}
			}
		})
	}
}
