package main

import (
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestBadInputIsRefusedBeforeAnythingStarts: one clear line that says what is
// wrong and what would be right, exit code 2, and nothing left behind.
func TestBadInputIsRefusedBeforeAnythingStarts(t *testing.T) {
	badScenario := filepath.Join(t.TempDir(), "bad.yaml")
	write(t, badScenario, "name: bad\nsteps:\n  - id: x\n    at: \"13:55\"\n    do: dance\n")
	badArm := filepath.Join(t.TempDir(), "bad-arm.yaml")
	write(t, badArm, "name: bad\ndescription: It has a misspelt policy.\netcd_client: pinned\nfallback: none\nstandin: on-switch\nrouter:\n  policies: [keep-lost]\n")
	for name, c := range map[string]struct {
		args []string
		says []string
	}{
		"unknown arm":       {[]string{"replay", "--arm", "linkerd-2016"}, []string{"linkerd-2016", "linkerd-2017", "guarded"}},
		"unknown scenario":  {[]string{"replay", "monzo-2018"}, []string{"monzo-2018", "monzo-2017-short"}},
		"unknown flag":      {[]string{"replay", "--speed", "3"}, []string{"--speed"}},
		"replicas below 0":  {[]string{"ctl", "scale", "ledger", "-12"}, []string{"-12: say a number that is 0 or more"}},
		"unknown command":   {[]string{"reply"}, []string{"reply"}},
		"misspelt policy":   {[]string{"replay", "--arm", badArm}, []string{"bad-arm.yaml", "keep-lost", "keep-last"}},
		"rate 0":            {[]string{"replay", "--rate", "0"}, []string{"--rate", "more than 0"}},
		"rate is no number": {[]string{"replay", "--rate", "fast"}, []string{"--rate", "fast"}},
		"negative pace":     {[]string{"replay", "--pace=-1"}, []string{"--pace", "more than 0"}},
		"pace too fast":     {[]string{"replay", "--pace", "600"}, []string{"pace"}},
		"unknown fallback":  {[]string{"replay", "--fallback", "sometimes"}, []string{"sometimes", "independent"}},
		"unknown mechanism": {[]string{"replay", "--without", "gravity"}, []string{"gravity", "pots"}},
		"unknown topology":  {[]string{"replay", "--topology", "moon"}, []string{"moon", "single"}},
		"unknown step":      {[]string{"replay", badScenario}, []string{"bad.yaml:5", "dance"}},
		"no result there":   {[]string{"report", t.TempDir()}, []string{"result.json"}},
		"too many members":  {[]string{"up", "--members", "10"}, []string{"10", "1 to 9"}},
	} {
		t.Run(name, func(t *testing.T) {
			out := filepath.Join(t.TempDir(), "out")
			if c.args[0] == "replay" {
				c.args = append(c.args, "--out", out)
			}
			code, stdout, stderr := command(t, c.args...)
			if code != exitUsage {
				t.Errorf("exit code %d, want %d", code, exitUsage)
			}
			if lines := strings.Count(strings.TrimSpace(stderr), "\n") + 1; lines != 1 || stdout != "" {
				t.Errorf("said %d lines, and on standard output %q:\n%s", lines, stdout, stderr)
			}
			for _, want := range c.says {
				if !strings.Contains(stderr, want) {
					t.Errorf("does not say %q: %s", want, stderr)
				}
			}
			if _, err := os.Stat(out); err == nil {
				t.Error("a directory for results was made")
			}
		})
	}
}

func TestAnUnwritableDirectoryIsNamed(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	write(t, file, "in the way")
	code, _, stderr := command(t, "replay", "--out", filepath.Join(file, "out"))
	if code != exitUsage || !strings.Contains(stderr, file) || !strings.Contains(stderr, "not a directory") {
		t.Errorf("exit code %d: %s", code, stderr)
	}
}

func TestATakenPortIsNamed(t *testing.T) {
	taken, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	address := taken.Addr().String()
	code, _, stderr := command(t, "up", "--admin", address, "--out", t.TempDir())
	if code != exitFailed || !strings.Contains(stderr, address) || !strings.Contains(stderr, "address already in use") {
		t.Errorf("exit code %d: %s", code, stderr)
	}
}

func TestHelpIsNoError(t *testing.T) {
	for _, args := range [][]string{{"--help"}, {}, {"replay", "--help"}} {
		if code, stdout, _ := command(t, args...); code != exitOK || !strings.Contains(stdout, "replay") {
			t.Errorf("%v: exit code %d: %s", args, code, stdout)
		}
	}
}

func write(t *testing.T, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}
