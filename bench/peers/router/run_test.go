package peers

import (
	"context"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"go.uber.org/goleak"

	"breakbank/bench/peers/comparison"
)

// asCommand makes the test binary the part of the command that runs start.
const asCommand = "BREAKBANK_TEST_PEERS_COMMAND"

func TestMain(m *testing.M) {
	if os.Getenv(asCommand) != "" {
		os.Exit(beCommand(os.Args[1:]))
	}
	goleak.VerifyTestMain(m)
}

// beCommand understands "peers echo" and "peers relay" as breakbank does.
func beCommand(args []string) int {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	defer stop()
	values := map[string][]string{}
	for i := 2; i+1 < len(args); i += 2 {
		values[args[i]] = append(values[args[i]], strings.Split(args[i+1], ",")...)
	}
	var err error
	switch strings.Join(args[:2], " ") {
	case "peers echo":
		err = ServeEcho(ctx, values["--listen"])
	case "peers relay":
		err = ServeRelay(ctx, values["--listen"][0], values["--to"])
	default:
		return 2
	}
	if err != nil {
		return 1
	}
	return 0
}

func self(args ...string) *exec.Cmd {
	cmd := exec.Command(os.Args[0], args...)
	cmd.Env = append(os.Environ(), asCommand+"=1")
	return cmd
}

// tiny is the shortest run of some peers.
func tiny(t *testing.T, cases []Case, names ...string) Options {
	t.Helper()
	if _, err := os.Stat("/proc/self/stat"); err != nil {
		t.Skip("SKIPPED: the processor time of other processes is read from Linux")
	}
	chosen, err := ByNames(names)
	if err != nil {
		t.Fatal(err)
	}
	return Options{Plan: comparison.Plan{Self: self, Blocks: 1, Window: 100 * time.Millisecond, Seed: 1}, Peers: chosen, Cases: cases}
}

// TestEveryCaseGoesThrough: a real run, with processes and all, of each case and
// of each peer that is on this machine but our own router, which the command's
// tests run. Its figures mean nothing.
func TestEveryCaseGoesThrough(t *testing.T) {
	for _, c := range []struct {
		name  string
		cases []Case
		peers []string
	}{
		{"every case", Cases, []string{direct, relay}},
		{"every proxy", []Case{Cases[1], Cases[4]}, []string{direct, relay, haproxy, "nginx", "caddy"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			o := tiny(t, c.cases, c.peers...)
			here, _, missing := Installed(o.Peers)
			for _, m := range missing {
				t.Logf("SKIPPED: %s", m)
			}
			res, err := Run(t.Context(), o)
			if err != nil {
				t.Fatal(err)
			}
			if want := len(here) * len(c.cases); len(res.Cells) != want {
				t.Errorf("%d cells, want %d: %v", len(res.Cells), want, res.InvalidReasons)
			}
			for _, cell := range res.Cells {
				if cell.Requests == 0 || cell.Failed > 0 {
					t.Errorf("%s, %s: %d requests, %d failed: %v", cell.Peer, cell.Case, cell.Requests, cell.Failed, cell.Errors)
				}
				if proxy := cell.Peer != direct; proxy != (cell.CPUUs != nil) || proxy && cell.CPUUs.Value <= 0 {
					t.Errorf("%s, %s: CPU %+v", cell.Peer, cell.Case, cell.CPUUs)
				}
			}
			for _, m := range res.Missing {
				if m.Install == "" {
					t.Errorf("%s", m)
				}
			}
		})
	}
}

func TestAnInterruptedRunKeepsWhatItHas(t *testing.T) {
	o := tiny(t, Cases[:2], direct, relay)
	o.Blocks = 50
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	t.Setenv("TMPDIR", t.TempDir())
	o.Progress = func(p comparison.Progress) {
		if p.Block == 2 {
			cancel()
		}
	}
	res, err := Run(ctx, o)
	if err != nil {
		t.Fatal(err)
	}
	if !res.Partial || res.Valid || len(res.Cells) != 4 || res.Cells[0].Blocks != 1 {
		t.Errorf("partial %v, valid %v, cells %+v", res.Partial, res.Valid, res.Cells)
	}
	if left, err := filepath.Glob(filepath.Join(os.TempDir(), "*")); err != nil || len(left) > 0 {
		t.Errorf("left behind: %v, %v", left, err)
	}
}

func TestAPeerThatDoesNotStartIsLeftOut(t *testing.T) {
	o := tiny(t, Cases[:1], direct, relay)
	i := slices.IndexFunc(o.Peers, func(p Peer) bool { return p.Name == relay })
	o.Peers[i].args = func(site) []string { return []string{"peers", "nonsense"} }
	o.Blocks = 2
	res, err := Run(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	if res.Valid || len(res.Missing) != 1 || !strings.Contains(res.Missing[0].Why, "exit status 2") {
		t.Errorf("valid %v, missing %v", res.Valid, res.Missing)
	}
	if len(res.Cells) != 1 || res.Cells[0].Peer != direct || res.Cells[0].Blocks != 2 {
		t.Errorf("%+v", res.Cells)
	}
}
