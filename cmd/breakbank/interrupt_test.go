package main

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"breakbank/bench/replay"
	"breakbank/platform/cluster"
)

const (
	// endLimit is how long an interrupted command may take to tidy up.
	endLimit = 15 * time.Second
	pollEach = 20 * time.Millisecond
	// comeUpLimit is what a platform itself may take to come up, and more.
	comeUpLimit = 100 * time.Second
)

// eventually waits for a condition.
func eventually(t *testing.T, limit time.Duration, what string, holds func() bool) {
	t.Helper()
	deadline := time.NewTimer(limit)
	defer deadline.Stop()
	poll := time.NewTicker(pollEach)
	defer poll.Stop()
	for !holds() {
		select {
		case <-deadline.C:
			t.Fatalf("not within %v: %s", limit, what)
		case <-poll.C:
		}
	}
}

// TestInterruptLeavesNothingBehind: Ctrl-C, at whatever moment, leaves no
// process and no temporary directory; no process means no port. What was
// measured is kept and marked partial.
func TestInterruptLeavesNothingBehind(t *testing.T) {
	t.Parallel()
	const fullLoad = "under full load"
	for _, c := range []struct {
		name    string
		when    string // is on the output when the signal is sent
		partial bool
	}{
		{"while the platform comes up", "starting: registry", false},
		{"before the clock runs", "phase setup", true},
		{fullLoad, "phase dark registry", true},
	} {
		t.Run(c.name, func(t *testing.T) {
			if testing.Short() && c.name == fullLoad {
				t.Skip("SKIPPED: under the race detector a platform takes over a minute to that; run without -short")
			}
			out := t.TempDir()
			cmd, tmp, stdout, stderr := start(t, "replay", "monzo-2017-short", "--out", out)
			seen := watch(c.when)
			cmd.Stdout = seen
			if err := cmd.Start(); err != nil {
				t.Fatal(err)
			}
			seen.await(t)
			if err := cmd.Process.Signal(os.Interrupt); err != nil {
				t.Fatal(err)
			}
			ended := make(chan struct{})
			go func() {
				_ = cmd.Wait() // It ends with an error; which one is looked at below.
				close(ended)
			}()
			select {
			case <-ended:
			case <-time.After(endLimit):
				t.Fatalf("still running %v after the signal", endLimit)
			}
			if cmd.ProcessState.ExitCode() != exitFailed {
				t.Errorf("exit code %d; %s%s", cmd.ProcessState.ExitCode(), stdout, stderr)
			}
			nothingLeft(t, tmp)
			results, _ := filepath.Glob(filepath.Join(out, "*", replay.ResultName))
			if !c.partial {
				return
			}
			if len(results) != 1 {
				t.Fatalf("%d results were written, want a partial one", len(results))
			}
			r, err := replay.Read(filepath.Dir(results[0]))
			if err != nil {
				t.Fatal(err)
			}
			if !r.Partial || r.Valid {
				t.Errorf("partial %v, valid %v", r.Partial, r.Valid)
			}
		})
	}
}

// TestAKilledParentTakesThePlatformWithIt: nobody can tidy up after SIGKILL,
// so the platform does it itself, wherever its parts run, whether or not they
// stand still, and whether or not it is still coming up.
func TestAKilledParentTakesThePlatformWithIt(t *testing.T) {
	t.Parallel()
	for _, layout := range []string{cluster.LayoutSingle, cluster.LayoutProcesses} {
		for name, when := range map[string]string{"is up": "Ctrl-C ends it", "comes up": "starting: registry"} {
			t.Run(layout+" "+name, func(t *testing.T) {
				if testing.Short() && layout == cluster.LayoutProcesses {
					t.Skip("SKIPPED: under the race detector fifty processes take a minute to come up, and nobody reads what it says of them; 'go test ./...' kills them")
				}
				control := freeAddress(t)
				cmd, tmp, _, _ := start(t, "up", "--topology", layout, "--admin", control, "--out", t.TempDir())
				seen := watch(when)
				cmd.Stdout, cmd.Stderr = seen, seen
				if err := cmd.Start(); err != nil {
					t.Fatal(err)
				}
				seen.await(t)
				if layout == cluster.LayoutProcesses && name == "is up" {
					pauseSome(t, control)
				}
				if err := cmd.Process.Kill(); err != nil {
					t.Fatal(err)
				}
				_ = cmd.Wait() // It was killed.
				nothingLeft(t, tmp)
				if t.Failed() {
					t.Logf("it said: %s", &seen.text)
				}
			})
		}
	}
}

// pauseSome stops parts of a platform in processes.
func pauseSome(t *testing.T, control string) {
	t.Helper()
	// Instances first, while their nodes can see to it.
	for _, part := range []string{"ledger-*", "etcd-b1", "a2"} {
		stop := exec.Command(os.Args[0], "ctl", "--control", control, "fault", "inject", "process-pause", part)
		stop.Env = append(os.Environ(), asCommand+"="+t.Name())
		if out, err := stop.CombinedOutput(); err != nil {
			t.Errorf("pause %s: %v: %s", part, err, out)
		}
	}
	if n := len(processes(t)); n < 40 {
		t.Errorf("%d processes, want one for each part", n)
	}
}

// nothingLeft waits until no process of the test's command runs and its
// temporary directory is empty.
func nothingLeft(t *testing.T, tmp string) {
	t.Helper()
	eventually(t, endLimit, "every process of the command has ended", func() bool { return len(processes(t)) == 0 })
	eventually(t, endLimit, "the temporary directory is empty", func() bool {
		left, err := os.ReadDir(tmp)
		return err == nil && len(left) == 0
	})
}

// processes lists the processes of the test's command, which carry its name in
// their environment.
func processes(t *testing.T) []string {
	t.Helper()
	environments, err := filepath.Glob("/proc/[0-9]*/environ")
	if err != nil {
		t.Fatal(err)
	}
	var found []string
	for _, path := range environments {
		text, err := os.ReadFile(path)
		if err != nil {
			continue // It has ended meanwhile.
		}
		if bytes.Contains(text, []byte(asCommand+"="+t.Name()+"\x00")) && !zombie(filepath.Dir(path)) {
			found = append(found, path)
		}
	}
	return found
}

// zombie says whether a process has ended and only waits to be collected.
func zombie(dir string) bool {
	stat, err := os.ReadFile(filepath.Join(dir, "stat"))
	return err != nil || strings.Contains(string(stat), ") Z ")
}

// watched is an output that says when a text has been written to it.
type watched struct {
	wanted string
	text   bytes.Buffer
	seen   chan struct{}
	said   bool
}

func watch(wanted string) *watched { return &watched{wanted: wanted, seen: make(chan struct{})} }

func (w *watched) Write(p []byte) (int, error) {
	w.text.Write(p)
	if !w.said && strings.Contains(w.text.String(), w.wanted) {
		w.said = true
		close(w.seen)
	}
	return len(p), nil
}

// await waits until the text has been written, and fails if it is not.
func (w *watched) await(t *testing.T) {
	t.Helper()
	select {
	case <-w.seen:
	case <-time.After(comeUpLimit):
		t.Errorf("not said within %v: %q", comeUpLimit, w.wanted)
	}
}
