package main

import (
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// TestAFullDiskIsNamed fills a real, very small file system.
func TestAFullDiskIsNamed(t *testing.T) {
	dir := t.TempDir()
	if err := syscall.Mount("tmpfs", dir, "tmpfs", 0, "size=64k"); err != nil {
		t.Skipf("SKIPPED: a small file system is needed to fill it, and mounting one takes root: %v", err)
	}
	t.Cleanup(func() {
		if err := syscall.Unmount(dir, syscall.MNT_DETACH); err != nil {
			t.Error(err)
		}
	})
	write(t, filepath.Join(dir, "almost-everything"), strings.Repeat("x", 60<<10))
	if err := os.WriteFile(filepath.Join(dir, "the-rest"), make([]byte, 64<<10), 0o600); err == nil {
		t.Fatal("the disk is not full")
	}
	code, _, stderr := command(t, "replay", "--out", filepath.Join(dir, "out"))
	if code != exitUsage || !strings.Contains(stderr, "no space left on device") {
		t.Errorf("exit code %d: %s", code, stderr)
	}
}
