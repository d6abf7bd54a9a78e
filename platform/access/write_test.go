package access

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
)

func modeOf(t *testing.T, path string) os.FileMode {
	t.Helper()
	info, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	return info.Mode()
}

func TestAContextFileIsForItsOwnerAlone(t *testing.T) {
	path := filepath.Join(t.TempDir(), FileName)
	f := File{Current: "a", Contexts: []Context{{Name: "a", Control: "h:1", Token: "hush", Edges: Edges{"a1": {"cardnet": "h:2"}}}}}
	if err := Write(path, f, nil); err != nil {
		t.Fatal(err)
	}
	if mode := modeOf(t, path).Perm(); mode != 0o600 {
		t.Errorf("its mode is %v", mode)
	}
	if Loose(path) {
		t.Error("others may read it")
	}
	got, err := Read(path)
	if err != nil || got.Contexts[0].Token != "hush" || got.Contexts[0].Edges["a1"]["cardnet"] != "h:2" {
		t.Errorf("read %+v, %v", got, err)
	}
	if err := os.Chmod(path, 0o644); err != nil {
		t.Fatal(err)
	}
	if !Loose(path) {
		t.Error("that others may read it goes unnoticed")
	}
	if err := Write(path, File{}, nil); err == nil {
		t.Error("a file without contexts was written")
	}
}

// TestReadersSeeAWholeFile: it is put in place at once.
func TestReadersSeeAWholeFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), FileName)
	short := File{Contexts: []Context{{Name: "a", Control: "h:1"}}}
	long := File{Contexts: []Context{{Name: "a", Control: "h:1", Token: strings.Repeat("x", tokenBytesMax)}}}
	if err := Write(path, short, nil); err != nil {
		t.Fatal(err)
	}
	var writer sync.WaitGroup
	stop := make(chan struct{})
	writer.Go(func() {
		for {
			for _, f := range []File{long, short} {
				if err := Write(path, f, nil); err != nil {
					t.Error(err)
					return
				}
			}
			select {
			case <-stop:
				return
			default:
			}
		}
	})
	for range 200 {
		if _, err := Read(path); err != nil {
			t.Error(err)
			break
		}
	}
	close(stop)
	writer.Wait()
	left, err := os.ReadDir(filepath.Dir(path))
	if err != nil || len(left) != 1 {
		t.Errorf("left behind: %v, %v", left, err)
	}
}

func TestATokenIsMadeOnce(t *testing.T) {
	path := filepath.Join(t.TempDir(), "token")
	first, err := EnsureToken(path)
	if err != nil {
		t.Fatal(err)
	}
	again, err := EnsureToken(path)
	if err != nil || again != first {
		t.Errorf("then %q, %v; first %q", again, err, first)
	}
	if len(first) != 64 {
		t.Errorf("the token has %d characters, want 64: 256 bits", len(first))
	}
	if mode := modeOf(t, path).Perm(); mode != 0o444 {
		t.Errorf("its mode is %v", mode)
	}
	other, err := EnsureToken(filepath.Join(t.TempDir(), "token"))
	if err != nil || other == first {
		t.Errorf("another token is %q, %v", other, err)
	}
}

func TestAShareIsThereWhileItIsServed(t *testing.T) {
	dir, secrets := t.TempDir(), t.TempDir()
	out := filepath.Join(t.TempDir(), "out")
	share := Share{
		Dir: dir, TokenFile: filepath.Join(secrets, "token"), Out: out,
		Context: Context{Name: "compose", Control: "127.0.0.1:7017"},
	}
	ctx, cancel := context.WithCancel(t.Context())
	var seen File
	err := share.Serve(ctx, func() {
		var err error
		if seen, err = Read(filepath.Join(dir, FileName)); err != nil {
			t.Error(err)
		}
		cancel()
	})
	if err != nil {
		t.Fatal(err)
	}
	token, err := ReadToken(share.TokenFile)
	if err != nil || seen.Current != "compose" || seen.Contexts[0].Token != token {
		t.Errorf("the file said %+v; the token is %q, %v", seen, token, err)
	}
	if mode := modeOf(t, out); mode.Perm() != 0o777 || mode&os.ModeSticky == 0 {
		t.Errorf("the mode of the directory for results is %v", mode)
	}
	if left, err := os.ReadDir(dir); err != nil || len(left) != 0 {
		t.Errorf("left behind: %v, %v", left, err)
	}
}

// TestWhatSomebodyElseWroteStays: two stacks that share a directory.
func TestWhatSomebodyElseWroteStays(t *testing.T) {
	dir := t.TempDir()
	share := Share{Dir: dir, TokenFile: filepath.Join(t.TempDir(), "token"), Context: Context{Name: "compose", Control: "h:1"}}
	remove, err := share.Put()
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, FileName)
	if err := Write(path, File{Contexts: []Context{{Name: "other", Control: "h:2"}}}, nil); err != nil {
		t.Fatal(err)
	}
	if err := remove(); err != nil {
		t.Fatal(err)
	}
	if f, err := Read(path); err != nil || f.Contexts[0].Name != "other" {
		t.Errorf("there is %+v, %v", f, err)
	}
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	if err := remove(); err != nil {
		t.Errorf("what is gone cannot be removed: %v", err)
	}
}

func TestTheDirectorysOwnerGetsTheFile(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("SKIPPED: only root can give a file away")
	}
	const somebody = 65532
	dir := t.TempDir()
	if err := os.Chown(dir, somebody, somebody); err != nil {
		t.Fatal(err)
	}
	out := t.TempDir() // Root's, as one that a container engine has made.
	share := Share{Dir: dir, TokenFile: filepath.Join(t.TempDir(), "token"), Context: Context{Name: "compose", Control: "h:1"}, Out: out}
	if _, err := share.Put(); err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{filepath.Join(dir, FileName), out} {
		info, err := os.Stat(path)
		if err != nil {
			t.Fatal(err)
		}
		if got := info.Sys().(*syscall.Stat_t); got.Uid != somebody || got.Gid != somebody {
			t.Errorf("%s belongs to %d:%d", path, got.Uid, got.Gid)
		}
	}
}

func TestAShareSaysWhatIsWrong(t *testing.T) {
	dir := t.TempDir()
	file := write(t, filepath.Join(dir, "file"), "in the way")
	token := filepath.Join(dir, "token")
	good := Context{Name: "compose", Control: "h:1"}
	for name, share := range map[string]Share{
		"no directory":             {Dir: filepath.Join(dir, "none"), TokenFile: token, Context: good},
		"a file for a directory":   {Dir: file, TokenFile: token, Context: good},
		"a token file nowhere":     {Dir: dir, TokenFile: filepath.Join(dir, "none", "token"), Context: good},
		"results behind a file":    {Dir: dir, TokenFile: token, Context: good, Out: filepath.Join(file, "out")},
		"a context without name":   {Dir: dir, TokenFile: token, Context: Context{Control: "h:1"}},
		"a token that is no token": {Dir: dir, TokenFile: write(t, filepath.Join(dir, "bad"), "two words"), Context: good},
	} {
		if _, err := share.Put(); err == nil || strings.Contains(err.Error(), "\n") {
			t.Errorf("%s: %v", name, err)
		}
		if _, err := os.Stat(filepath.Join(dir, FileName)); err == nil {
			t.Errorf("%s: a context file is there", name)
		}
	}
}
