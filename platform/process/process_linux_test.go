package process

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"runtime"
	"syscall"
	"testing"
	"time"
)

// Whoever is killed takes all descendants along, stopped ones too.
func TestNobodyOutlivesTheParent(t *testing.T) {
	for _, stopped := range []bool{false, true} {
		t.Run(fmt.Sprintf("stopped=%t", stopped), func(t *testing.T) {
			p := presence(t)
			c := startChild(t, "parent", Options{Presence: p.File()})
			descendants, _ := c.hears(t, 3) // The last one says that it is deaf.
			if len(descendants) != 2 {
				t.Fatalf("its descendants are %v", descendants)
			}
			gone := p.Gone()
			for _, pid := range descendants {
				if !stopped {
					continue
				}
				if err := syscall.Kill(pid, syscall.SIGSTOP); err != nil {
					t.Fatal(err)
				}
				await(t, "a stop", func() bool { return look(t, pid).State == Stopped })
			}
			if isClosed(gone) {
				t.Fatal("nobody is there before the kill")
			}
			c.Kill()
			ended(t, "the end of presence", gone)
			for _, pid := range descendants {
				awaitGone(t, pid)
			}
		})
	}
}

// Linux ends a child with the thread that started it. Ours is not that of
// whoever asked for the child.
func TestAChildOutlivesTheThreadOfItsStart(t *testing.T) {
	var ours *Process
	var control *exec.Cmd
	var thread int
	onDoomedThread(func() {
		var err error
		if ours, err = Start(command("deaf"), Options{}); err != nil {
			t.Error(err)
		}
		control = command("deaf")
		control.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
		if err := control.Start(); err != nil {
			t.Error(err)
		}
		thread = syscall.Gettid()
	})
	if t.Failed() {
		t.FailNow()
	}
	t.Cleanup(ours.Kill)
	if err := control.Wait(); err == nil { // What is bound to that thread dies with it.
		t.Error("the control ended by itself")
	}
	await(t, "the end of the thread", func() bool {
		_, err := os.Stat(fmt.Sprintf("/proc/self/task/%d", thread))
		return errors.Is(err, fs.ErrNotExist)
	})
	if s := ours.State(); s != Running {
		t.Errorf("ours is %s", s)
	}
}

// onDoomedThread runs f on a thread that ends as soon as f has.
func onDoomedThread(f func()) {
	done := make(chan struct{})
	go func() {
		defer close(done)
		runtime.LockOSThread()
		if syscall.Gettid() == os.Getpid() { // The first thread never ends: another one it is.
			onDoomedThread(f)
			runtime.UnlockOSThread()
			return
		}
		f()
	}()
	<-done
}

func TestTheKernelsLineIsRead(t *testing.T) {
	boot, err := bootTime()
	if err != nil {
		t.Fatal(err)
	}
	rest := " 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 "
	for _, c := range []struct {
		line  string
		state State
		ticks int64
		ok    bool
	}{
		{"1 (init) S" + rest + "250 0", Running, 250, true},
		{"2 (a) T (b) R" + rest + "1 0", Running, 1, true},
		{"3 (x) T" + rest + "7 0", Stopped, 7, true},
		{"3 (x) t" + rest + "7 0", Stopped, 7, true},
		{"4 (x) Z" + rest + "7 0", Gone, 0, true},
		{"5 (x) R 1 2", "", 0, false},
		{"6 (x) R" + rest + "soon 0", "", 0, false},
		{"", "", 0, false},
	} {
		got, err := parseStat([]byte(c.line))
		if (err == nil) != c.ok || got.State != c.state {
			t.Errorf("%q: %s, %v", c.line, got.State, err)
		}
		if c.ticks > 0 && !got.StartedAt.Equal(boot.Add(time.Duration(c.ticks)*10*time.Millisecond)) {
			t.Errorf("%q: started at %v", c.line, got.StartedAt)
		}
	}
}

func TestALookTellsProcessesApart(t *testing.T) {
	me := look(t, os.Getpid())
	if me.State != Running || time.Since(me.StartedAt) < -2*time.Second || time.Since(me.StartedAt) > time.Hour {
		t.Errorf("I am %s since %v", me.State, me.StartedAt)
	}
	if again := look(t, os.Getpid()); !again.StartedAt.Equal(me.StartedAt) {
		t.Errorf("I started at %v, and at %v", me.StartedAt, again.StartedAt)
	}
	if s := look(t, 1<<22+1); s.State != Gone { // Beyond the largest number that Linux gives.
		t.Errorf("nobody is %s", s.State)
	}
}

// What it costs to ask whether a child stands still, and to look at a process in
// /proc.
func BenchmarkStopped(b *testing.B) {
	c, err := Start(command("deaf"), Options{})
	if err != nil {
		b.Fatal(err)
	}
	defer c.Kill()
	b.Run("waitid", func(b *testing.B) {
		for b.Loop() {
			if c.Stopped() {
				b.Fatal("stopped")
			}
		}
	})
	b.Run("proc", func(b *testing.B) {
		for b.Loop() {
			if c.State() != Running {
				b.Fatal("not running")
			}
		}
	})
}
