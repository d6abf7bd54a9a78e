package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestRunInstanceRefusesWhatNoAgentWrote: by hand the command says in one line
// what is wrong. Instances that serve are tested with node agents.
func TestRunInstanceRefusesWhatNoAgentWrote(t *testing.T) {
	spec := filepath.Join(t.TempDir(), "instance.json")
	whole := `{"service":"ledger","instance":"ledger-v1-1-a2","router_addr":"127.0.0.1:1","data_dir":"` + t.TempDir() + `"}`
	for name, c := range map[string]struct {
		args []string
		spec string
		code int
		says string
	}{
		"no file named":   {[]string{"run", "instance"}, "", exitUsage, "--spec is missing"},
		"no file":         {[]string{"run", "instance", "--spec", spec}, "", exitFailed, "no such file"},
		"no such service": {[]string{"run", "instance", "--spec", spec}, strings.Replace(whole, "ledger", "loans", 1), exitFailed, `no such service "loans"`},
		"no socket":       {[]string{"run", "instance", "--spec", spec}, whole, exitFailed, "is for node agents"},
	} {
		t.Run(name, func(t *testing.T) {
			_ = os.Remove(spec)
			if c.spec != "" {
				if err := os.WriteFile(spec, []byte(c.spec), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			code, _, stderr := command(t, c.args...)
			if code != c.code || strings.Count(stderr, "\n") != 1 || !strings.Contains(stderr, c.says) {
				t.Errorf("exit code %d, want %d; it says %q, want one line with %q", code, c.code, stderr, c.says)
			}
		})
	}
}
