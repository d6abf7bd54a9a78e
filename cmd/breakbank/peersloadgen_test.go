package main

import (
	"encoding/json"
	"fmt"
	"net"
	"os"
	"strings"
	"testing"

	generators "breakbank/bench/peers/loadgen"
)

// TestPeersLoadgen runs the whole command for a moment: what it finds means
// nothing, but every process has to come up and be measured.
func TestPeersLoadgen(t *testing.T) {
	if _, err := os.Stat("/proc/self/stat"); err != nil {
		t.Skip("SKIPPED: the processor time of other processes is read from Linux")
	}
	code, stdout, stderr := command(t, "peers", "loadgen", "--quick", "--only", "breakbank,breakbank-closed", "--blocks", "1", "--seconds", "0.05", "--json")
	var r generators.Result
	if err := json.Unmarshal([]byte(stdout), &r); err != nil {
		t.Fatalf("exit code %d, %v: %s", code, err, stderr)
	}
	// It may well find that this machine has others to serve.
	if code != exitOK && code != exitInvalid {
		t.Errorf("exit code %d: %s", code, stderr)
	}
	if r.Kind != "peers" || r.Scenario != "loadgen" || len(r.Costs) == 0 || len(r.Truths) != 2 || len(r.Bars) == 0 {
		t.Errorf("%+v", r)
	}
}

func TestPeersLoadgenHelpNamesWhatThereIs(t *testing.T) {
	_, help, _ := command(t, "peers", "loadgen", "--help")
	for _, want := range []string{
		strings.Join(generators.Names(), ", "),
		fmt.Sprintf("Default: %d, quick %d.", generators.DefaultBlocks, generators.QuickBlocks),
		fmt.Sprintf("Default: %g, quick %g.", generators.DefaultWindow.Seconds(), generators.QuickWindow.Seconds()),
	} {
		if !strings.Contains(strings.Join(strings.Fields(help), " "), want) {
			t.Errorf("does not say %q: %s", want, help)
		}
	}
}

func TestPeersLoadgenRefusesBadFlags(t *testing.T) {
	for name, c := range map[string]struct {
		args []string
		says []string
	}{
		"unknown generator": {[]string{"loadgen", "--only", "wrk"}, []string{"wrk", "ghz", "h2load"}},
		"no blocks":         {[]string{"loadgen", "--blocks", "0"}, []string{"0 blocks"}},
		"no time":           {[]string{"loadgen", "--seconds", "0"}, []string{"window"}},
		"much time":         {[]string{"loadgen", "--seconds", "1e300"}, []string{"--seconds", "60"}},
		"not a number":      {[]string{"loadgen", "--seconds", "NaN"}, []string{"--seconds"}},
		"unknown flag":      {[]string{"loadgen", "--bolcks", "3"}, []string{"--bolcks"}},
		"a short soak":      {[]string{"loadgen", "--soak", "1s"}, []string{"--soak", "1s"}},
		"a soak in words":   {[]string{"loadgen", "--soak", "long"}, []string{"--soak"}},
		"a quick soak":      {[]string{"loadgen", "--soak", "1m", "--quick"}, []string{"--soak", "--quick"}},
		"null, behaviour":   {[]string{"null", "--listen", "127.0.0.1:0", "--behaviour", "sulk"}, []string{"sulk", "stall:"}},
		"offer, no rate":    {[]string{"offer", "--target", "127.0.0.1:1", "--duration", "1s"}, []string{"--rate", "--closed"}},
		"offer, no time":    {[]string{"offer", "--target", "127.0.0.1:1", "--rate", "1", "--duration", "0s"}, []string{"duration"}},
	} {
		t.Run(name, func(t *testing.T) {
			code, stdout, stderr := command(t, append([]string{"peers"}, c.args...)...)
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

// TestPeersOfferWithoutAServer says in one line that there is none.
func TestPeersOfferWithoutAServer(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	l.Close()
	code, stdout, stderr := command(t, "peers", "offer", "--target", l.Addr().String(), "--rate", "10", "--duration", "1s")
	if code != exitFailed || stdout != "" || strings.Count(strings.TrimSpace(stderr), "\n") != 0 || !strings.Contains(stderr, l.Addr().String()) {
		t.Errorf("exit code %d: %s%s", code, stdout, stderr)
	}
}
