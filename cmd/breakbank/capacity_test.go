package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"breakbank/bench/capacity"
)

// quickly makes a search of few and short probes.
func quickly(target string, more ...string) []string {
	return append([]string{
		"capacity", "--target", target, "--method", healthCheck, "--objective", "p99<1s,ok>99%", "--cores", "shared",
		"--probe", "300ms", "--warm-up", "0s", "--pause", "0s", "--no-curve",
	}, more...)
}

// TestCapacityPrintsOneEnvelope: --json prints the result and nothing else, and
// the files say the same.
func TestCapacityPrintsOneEnvelope(t *testing.T) {
	t.Parallel()
	target, calls := serveHealth(t)
	out := t.TempDir()
	code, stdout, stderr := command(t, quickly(target, "--start", "450/s", "--max-rate", "900", "--json", "--out", out, "-H", "authorization=secret")...)
	var r capacity.Result
	if err := json.Unmarshal([]byte(stdout), &r); err != nil {
		t.Fatalf("exit code %d: %v\n%s\n%s", code, err, stdout, stderr)
	}
	if r.Kind != capacity.Kind || len(r.Probes) < 2 || calls.Load() == 0 || r.Environment.StartedUTC == "" || !r.Illustrative {
		t.Errorf("%d calls: %s", calls.Load(), stdout)
	}
	if want := map[bool]int{true: exitOK, false: exitInvalid}[r.Valid]; code != want {
		t.Errorf("exit code %d of a result that is valid: %v\n%s", code, r.Valid, stderr)
	}
	if r.Valid && (r.End != capacity.ByMax || r.AtLeastPerS != 900) {
		t.Errorf("%s, at least %g/s", r.End, r.AtLeastPerS)
	}
	if n := strings.Count(stderr, "probe "); n < len(r.Probes) {
		t.Errorf("%d lines of %d probes:\n%s", n, len(r.Probes), stderr)
	}
	for _, name := range []string{capacity.PageName, capacity.ResultName} {
		if data, err := os.ReadFile(filepath.Join(out, name)); err != nil || len(data) == 0 || strings.Contains(string(data), "secret") {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestCapacityOfNothing: every call fails, whatever the rate.
func TestCapacityOfNothing(t *testing.T) {
	t.Parallel()
	target, _ := serveHealth(t)
	code, stdout, stderr := command(t, quickly(target, "--start", "700", "--data", `{"service":"unknown"}`, "--objective", "ok>99%")...)
	if code == exitInvalid {
		t.Skipf("this machine is too busy to tell: %s", stderr)
	}
	if code != exitMissed || !strings.Contains(stdout, "not even that met it") || !strings.Contains(lastLine(stderr), "missed") {
		t.Errorf("exit code %d: %s\n%s", code, stdout, stderr)
	}
}

func lastLine(text string) string {
	lines := strings.Split(strings.TrimSpace(text), "\n")
	return lines[len(lines)-1]
}

// TestCapacityInterrupted keeps what was measured.
func TestCapacityInterrupted(t *testing.T) {
	t.Parallel()
	target, _ := serveHealth(t)
	cmd, _, stdout, _ := start(t, quickly(target, "--probe", "1s", "--start", "300", "--json")...)
	seen := watch("probe 1")
	cmd.Stderr = seen
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	seen.await(t)
	if err := cmd.Process.Signal(syscall.SIGINT); err != nil {
		t.Fatal(err)
	}
	_ = cmd.Wait() // The exit code says it.
	var r capacity.Result
	if err := json.Unmarshal(stdout.Bytes(), &r); err != nil {
		t.Fatal(err)
	}
	if code := cmd.ProcessState.ExitCode(); code != exitFailed || !r.Partial || r.Valid || len(r.Probes) == 0 {
		t.Errorf("exit code %d, partial %v, valid %v, %d probes", code, r.Partial, r.Valid, len(r.Probes))
	}
}

func TestCapacityBadInput(t *testing.T) {
	t.Parallel()
	target, _ := serveHealth(t)
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for want, args := range map[string][]string{
		"the rate is what is looked for": {"--objective", "goodput>100"},
		"holds when nothing works":       {"--objective", "p99>100ms"},
		"say for example":                {"--objective", "fast"},
		"--start":                        {"--start", "many"},
		"--max-rate":                     {"--max-rate", "-1"},
		"--resolution":                   {"--resolution", "fine"},
		"a resolution of 90 %":           {"--resolution", "90%"},
		"they must rise":                 {"--start", "900", "--max-rate", "800"},
		"start higher":                   {"--start", "1"},
		"a probe of 1ms":                 {"--probe", "1ms"},
		"probes to confirm":              {"--confirm", "0"},
		"constant":                       {"--pacer", "sine"},
		"Nonesuch":                       {"--method", "grpc.health.v1.Health/Nonesuch", "--start", "450"},
		"--out":                          {"--out", file, "--start", "450"},
	} {
		code, stdout, stderr := command(t, quickly(target, args...)...)
		if code != exitUsage || stdout != "" || strings.Count(stderr, "\n") != 1 {
			t.Errorf("%v: exit code %d: %s%s", args, code, stdout, stderr)
		}
		if !strings.Contains(stderr, want) {
			t.Errorf("%v: %q, want %q", args, stderr, want)
		}
	}
	if code, _, stderr := command(t, quickly("127.0.0.1:1", "--start", "450")...); code != exitFailed || strings.Count(stderr, "\n") != 1 || !strings.Contains(stderr, "127.0.0.1:1") {
		t.Errorf("nobody there: exit code %d: %s", code, stderr)
	}
}
