package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"breakbank/platform/access"
)

// contexts writes a context file with two contexts and returns its path.
func contexts(t *testing.T, control, token string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), access.FileName)
	err := access.Write(path, access.File{Current: "here", Contexts: []access.Context{
		{Name: "here", Control: control, Token: token}, {Name: "there", Control: "127.0.0.1:1"},
	}}, nil)
	if err != nil {
		t.Fatal(err)
	}
	return path
}

func TestContexts(t *testing.T) {
	path := contexts(t, "127.0.0.1:7017", "hush-hush")
	t.Setenv(access.Variable, path)
	code, list, stderr := command(t, "context", "list")
	if code != exitOK || !strings.Contains(list, "here") || !strings.Contains(list, "there") {
		t.Fatalf("exit code %d: %s%s", code, list, stderr)
	}
	if code, _, stderr := command(t, "context", "use", "there"); code != exitOK {
		t.Fatalf("exit code %d: %s", code, stderr)
	}
	code, shown, _ := command(t, "context", "show")
	if code != exitOK || !strings.Contains(shown, "127.0.0.1:1") {
		t.Errorf("exit code %d: %s", code, shown)
	}
	code, shown, _ = command(t, "context", "show", "here")
	if strings.Contains(list+shown, "hush") {
		t.Errorf("exit code %d: it tells the token unasked:\n%s%s", code, list, shown)
	}
	if code, token, _ := command(t, "context", "show", "here", "--token"); code != exitOK || token != "hush-hush\n" {
		t.Errorf("exit code %d: the token is %q", code, token)
	}
}

func TestContextSaysWhatIsWrong(t *testing.T) {
	good := contexts(t, "127.0.0.1:7017", "hush-hush")
	bad := filepath.Join(t.TempDir(), "bad.yaml")
	write(t, bad, "contexts:\n  - name: a\n    control: nowhere\n")
	serve := []string{"serve", "--dir", t.TempDir(), "--token-file", filepath.Join(t.TempDir(), "token"), "--control"}
	for name, c := range map[string]struct {
		file string
		args []string
		code int
		says string
	}{
		"no such file":       {filepath.Join(t.TempDir(), "none"), []string{"list"}, exitUsage, "there is no context file"},
		"a bad file":         {bad, []string{"list"}, exitUsage, "bad.yaml"},
		"no such context":    {good, []string{"use", "nowhere"}, exitUsage, "here, there"},
		"nothing to show":    {good, []string{"show", "nowhere"}, exitUsage, "here, there"},
		"no token to show":   {good, []string{"show", "there", "--token"}, exitFailed, "no token"},
		"a bad address":      {"", append(serve[:len(serve):len(serve)], "nowhere"), exitUsage, "host:port"},
		"bad edges":          {"", append(serve[:len(serve):len(serve)], "h:1", "--edges", "cardnet=h:1"), exitUsage, "node/service"},
		"no directory there": {"", []string{"serve", "--dir", "/no/such/dir", "--token-file", filepath.Join(t.TempDir(), "token"), "--control", "h:1", "--once"}, exitFailed, "/no/such/dir"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Setenv(access.Variable, c.file)
			code, stdout, stderr := command(t, append([]string{"context"}, c.args...)...)
			if code != c.code || stdout != "" || !strings.Contains(stderr, c.says) || strings.Count(stderr, "\n") != 1 {
				t.Errorf("exit code %d, want %d: %s%s", code, c.code, stdout, stderr)
			}
		})
	}
}

// TestAContextIsServedUntilItsEnd is what a container of a stack does.
func TestAContextIsServedUntilItsEnd(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, access.FileName)
	args := []string{
		"context", "serve", "--dir", dir, "--token-file", filepath.Join(t.TempDir(), "token"),
		"--control", "127.0.0.1:7017", "--edges", "a1/cardnet=127.0.0.1:7101", "--out", filepath.Join(dir, "out"),
	}
	cmd, _, _, stderr := start(t, args...)
	screen := watch("context compose is in")
	cmd.Stdout = screen
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	select {
	case <-screen.seen:
	case err := <-ended:
		t.Fatalf("it ended: %v: %s", err, stderr)
	case <-time.After(comeUpLimit):
		t.Fatal("it did not come up")
	}
	f, err := access.Read(path)
	if err != nil || len(f.Contexts[0].Token) != 64 || f.Contexts[0].Edges["a1"]["cardnet"] != "127.0.0.1:7101" {
		t.Errorf("%+v, %v", f, err)
	}
	if err := cmd.Process.Signal(os.Interrupt); err != nil {
		t.Fatal(err)
	}
	select {
	case err := <-ended:
		if err != nil {
			t.Errorf("it ended with %v: %s", err, stderr)
		}
	case <-time.After(endLimit):
		t.Fatal("it did not end")
	}
	if _, err := os.Stat(path); err == nil {
		t.Error("the context file outlives its stack")
	}
}

func TestAContextIsWrittenOnce(t *testing.T) {
	dir := t.TempDir()
	code, _, stderr := command(t, "context", "serve", "--dir", dir, "--token-file", filepath.Join(dir, "token"), "--control", "h:1", "--once")
	if code != exitOK {
		t.Fatalf("exit code %d: %s", code, stderr)
	}
	if _, err := access.Read(filepath.Join(dir, access.FileName)); err != nil {
		t.Error(err)
	}
}
