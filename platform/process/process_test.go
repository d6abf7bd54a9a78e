package process

import (
	"errors"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"
)

func TestAChildIsSeenFromStartToEnd(t *testing.T) {
	before := time.Now()
	c := startChild(t, "deaf", Options{Name: "deaf"})
	c.says(t)
	if c.State() != Running || c.Err() != nil || c.StartedAt().Before(before) || c.StartedAt().After(time.Now()) {
		t.Errorf("%s since %v, %v", c.State(), c.StartedAt(), c.Err())
	}
	if c.Stopped() {
		t.Error("it has been started, and counts as stopped")
	}
	for range 2 {
		if err := c.Stop(); err != nil {
			t.Fatal(err)
		}
		await(t, "a stop", func() bool { return c.State() == Stopped && c.Stopped() })
		if !c.Stopped() {
			t.Error("who asks again is told something else")
		}
		if err := c.Continue(); err != nil {
			t.Fatal(err)
		}
		await(t, "going on", func() bool { return c.State() == Running && !c.Stopped() })
	}
	if err := c.Stop(); err != nil {
		t.Fatal(err)
	}
	c.Kill() // A stopped process dies as well.
	c.Kill()
	if c.State() != Gone || c.Stopped() || !isClosed(c.Done()) {
		t.Errorf("killed, and it is %s, stopped %v", c.State(), c.Stopped())
	}
	exit, ok := errors.AsType[*exec.ExitError](c.Err())
	if !ok || exit.Sys().(syscall.WaitStatus).Signal() != syscall.SIGKILL {
		t.Errorf("it ended with %v", c.Err())
	}
	if err := c.Signal(os.Interrupt); !errors.Is(err, os.ErrProcessDone) {
		t.Errorf("a signal to what is gone: %v", err)
	}
}

func TestHowItEndedIsTold(t *testing.T) {
	c := startChild(t, "three", Options{})
	ended(t, "its end", c.Done())
	if exit, ok := errors.AsType[*exec.ExitError](c.Err()); !ok || exit.ExitCode() != 3 {
		t.Errorf("it ended with %v", c.Err())
	}
	c = startChild(t, "count", Options{})
	ended(t, "its end", c.Done())
	if c.Err() != nil {
		t.Errorf("it ended with %v", c.Err())
	}
}

func TestWhatCannotStartIsNamed(t *testing.T) {
	_, err := Start(exec.Command("/nonsense"), Options{Name: "etcd-a"})
	if err == nil || !strings.Contains(err.Error(), "etcd-a") || !errors.Is(err, os.ErrNotExist) {
		t.Errorf("started with %v", err)
	}
	cmd := command("deaf")
	cmd.Stdin = strings.NewReader("mine")
	if _, err := Start(cmd, Options{}); err == nil {
		t.Error("a command that has an input got a lifeline as well")
	}
	given := presence(t)
	given.Close()
	if _, err := Start(command("deaf"), Options{Presence: given.File()}); err == nil {
		t.Error("started with a presence that was given up")
	}
}

// A group is killed as a whole: descendants that nothing binds, too, and after
// the end of its head.
func TestAGroupIsKilledAsAWhole(t *testing.T) {
	c := startChild(t, "careless", Options{Group: true})
	ended(t, "the end of the head", c.Done())
	started, _ := c.hears(t, 1)
	if len(started) != 1 || look(t, started[0]).State != Running {
		t.Fatalf("what nothing binds is %v", started)
	}
	c.KillGroup()
	awaitGone(t, started[0])
}

func TestLinesAreWhole(t *testing.T) {
	var got []string
	l := &Lines{Each: func(line string) { got = append(got, line) }}
	for _, piece := range []string{"on", "e\ntwo\n\nthr", "ee\nnever ended"} {
		if n, err := l.Write([]byte(piece)); n != len(piece) || err != nil {
			t.Fatal(n, err)
		}
	}
	if all := strings.Join(got, "|"); all != "one|two||three" {
		t.Errorf("%q", all)
	}
	got = nil
	if _, err := l.Write(make([]byte, 2*lineMax)); err != nil {
		t.Fatal(err)
	}
	if len(got) != 1 || len(l.rest) != 0 {
		t.Errorf("%d lines of what has no end, and %d bytes kept", len(got), len(l.rest))
	}
}
