package main

import (
	"encoding/json"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"breakbank/bench/strategies"
)

func TestBenchStrategiesRefusesBadFlags(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	write(t, file, "in the way")
	for name, c := range map[string]struct {
		args []string
		says []string
	}{
		"unknown strategy":     {[]string{"--strategy", "p2c"}, []string{"--strategy", "p2c-ewma", "jsq-oracle"}},
		"unknown scenario":     {[]string{"--scenario", "steady,flood"}, []string{"--scenario", "flood", "zone-loss"}},
		"no endpoints":         {[]string{"--endpoints", "0"}, []string{"endpoints 0", "20000"}},
		"too many pairs":       {[]string{"--endpoints", "20000", "--routers", "1000"}, []string{"500000"}},
		"no rate":              {[]string{"--rate", "0"}, []string{"rate 0", "more than 0"}},
		"unknown queue":        {[]string{"--queue", "lifo"}, []string{"lifo", "fifo", "ps"}},
		"unknown distribution": {[]string{"--service", "normal"}, []string{"normal", "lognormal"}},
		"too many runs":        {[]string{"--runs", "1000"}, []string{"runs 1000", "64"}},
		"nowhere to write":     {[]string{"--out", filepath.Join(file, "out")}, []string{"--out", file}},
	} {
		t.Run(name, func(t *testing.T) {
			code, stdout, stderr := command(t, append([]string{"bench", "strategies"}, c.args...)...)
			if code != exitUsage || stdout != "" || strings.Count(strings.TrimSpace(stderr), "\n") != 0 {
				t.Errorf("exit code %d, standard output %q:\n%s", code, stdout, stderr)
			}
			for _, want := range c.says {
				if !strings.Contains(stderr, want) {
					t.Errorf("does not say %q: %s", want, stderr)
				}
			}
		})
	}
}

func TestBenchStrategiesAsAUserRunsIt(t *testing.T) {
	out := filepath.Join(t.TempDir(), "new", "out")
	args := []string{
		"bench", "strategies", "--scenario", "slow-instance,zone-loss", "--strategy", "random,p2c-ewma",
		"--endpoints", "20", "--routers", "4", "--runs", "2", "--out", out,
	}
	code, stdout, stderr := command(t, args...)
	for _, want := range []string{"slow-instance", "zone-loss", "p2c-ewma", "VALID", filepath.Join(out, strategies.PageName)} {
		if code != exitOK || !strings.Contains(stdout, want) {
			t.Fatalf("exit code %d, without %q:\n%s%s", code, want, stdout, stderr)
		}
	}
	code, stdout, stderr = command(t, append(args, "--json")...)
	var printed, written strategies.Result
	data, err := os.ReadFile(filepath.Join(out, strategies.ResultName))
	if err != nil || code != exitOK {
		t.Fatalf("exit code %d, %v: %s", code, err, stderr)
	}
	if err := errors.Join(json.Unmarshal([]byte(stdout), &printed), json.Unmarshal(data, &written)); err != nil {
		t.Fatal(err)
	}
	if printed.Kind != strategies.KindBench || len(printed.Cells) != 6 || len(written.Cells) != 6 {
		t.Errorf("kind %q, %d cells printed, %d written", printed.Kind, len(printed.Cells), len(written.Cells))
	}
}

// Ctrl-C ends a suite that would take minutes, and what was measured is shown.
func TestBenchStrategiesIsInterrupted(t *testing.T) {
	out := t.TempDir()
	cmd, _, stdout, _ := start(t, "bench", "strategies", "--endpoints", "100", "--runs", "64", "--out", out)
	cmd.Stderr = nil
	stderr, err := cmd.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	first := make([]byte, len("1 of"))
	if _, err := stderr.Read(first); err != nil { // the first line of progress
		t.Fatal(err)
	}
	if err := cmd.Process.Signal(syscall.SIGINT); err != nil {
		t.Fatal(err)
	}
	limit := time.AfterFunc(commandLimit/2, func() { cmd.Process.Kill() }) //nolint:errcheck // it may have ended
	defer limit.Stop()
	err = cmd.Wait()
	var exit *exec.ExitError
	if !errors.As(err, &exit) || exit.ExitCode() != exitFailed {
		t.Errorf("ended with %v", err)
	}
	if !strings.Contains(stdout.String(), "INVALID, partial") {
		t.Errorf("printed\n%s", stdout)
	}
	if _, err := os.Stat(filepath.Join(out, strategies.PageName)); err != nil {
		t.Error(err)
	}
}
