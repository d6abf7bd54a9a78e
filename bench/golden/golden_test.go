package golden

import (
	"os"
	"path/filepath"
	"testing"
)

// counted counts failures instead of failing.
type counted struct {
	testing.TB
	failures int
}

func (c *counted) Helper()               {}
func (c *counted) Errorf(string, ...any) { c.failures++ }

func TestCheckCanFail(t *testing.T) {
	path := filepath.Join(t.TempDir(), "text.golden")
	if err := os.WriteFile(path, []byte("as it was"), 0o600); err != nil {
		t.Fatal(err)
	}
	c := &counted{TB: t}
	Check(c, path, "as it was")
	if c.failures != 0 {
		t.Error("what is the same fails")
	}
	if Check(c, path, "as it is"); c.failures == 0 && !*update {
		t.Error("what is different passes")
	}
}
