package node

import (
	"context"
	"errors"
	"net/http"
	"os/exec"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/goleak"

	"breakbank/platform/process"
)

// TestSilenceTakesThreeFailures: each check is + or -, and what it changes: S for
// silent, A for answering, or nothing.
func TestSilenceTakesThreeFailures(t *testing.T) {
	for checks, want := range map[string]string{
		"++++++":    "      ",
		"+--+--+":   "       ",
		"---":       "  S",
		"-----":     "  S  ",
		"---+":      "  SA",
		"---+---++": "  SA  SA ",
	} {
		var h health
		got := make([]byte, len(checks))
		for i, check := range []byte(checks) {
			var err error
			if check == '-' {
				err = errUnanswered
			}
			got[i] = ' '
			if h.learn(err) {
				got[i] = 'A'
				if h.silent {
					got[i] = 'S'
				}
			}
		}
		if string(got) != want {
			t.Errorf("checks %s: %q, want %q", checks, got, want)
		}
	}
}

// TestWhoIsSuspectIsAskedEachTime: one that is well is asked now and then.
func TestWhoIsSuspectIsAskedEachTime(t *testing.T) {
	var h health
	asked := 0
	for range 20 {
		if h.ask() {
			asked++
		}
		h.learn(nil)
	}
	if asked != 20/checksPerProbe {
		t.Errorf("asked %d times of 20", asked)
	}
	for range 20 {
		h.learn(errUnanswered)
		if !h.ask() {
			t.Fatal("after a failure it is not asked")
		}
	}
}

// TestAProcessThatHangsIsAskedOnce: a probe that is not answered is waited for
// by those after it.
func TestAProcessThatHangsIsAskedOnce(t *testing.T) {
	t.Cleanup(func() { goleak.VerifyNone(t) })
	ours, file, err := controlPair()
	if err != nil {
		t.Fatal(err)
	}
	theirs, err := connOf(file)
	if err != nil {
		t.Fatal(err)
	}
	var asked atomic.Int64
	release := make(chan struct{})
	server := &http.Server{Protocols: cleartextHTTP2(), Handler: http.HandlerFunc(func(http.ResponseWriter, *http.Request) {
		asked.Add(1)
		<-release
	})}
	var work sync.WaitGroup
	lone := newOneConn(theirs)
	work.Go(func() { _ = server.Serve(lone) })
	t.Cleanup(func() {
		_ = server.Close()
		work.Wait()
	})
	child, err := process.Start(exec.Command("sleep", "1000"), process.Options{})
	if err != nil {
		t.Fatal(err)
	}
	s := newSpawned(child, ours)
	var served error
	work.Go(func() { served = s.Serve() })
	t.Cleanup(func() {
		s.Kill()
		<-s.life.Done()
	})

	short := func(limit time.Duration) error {
		ctx, cancel := context.WithTimeout(t.Context(), limit)
		defer cancel()
		return s.check(ctx, true)
	}
	if err := s.check(t.Context(), false); err != nil || asked.Load() != 0 {
		t.Errorf("not to be asked, it was asked %d times: %v", asked.Load(), err)
	}
	for range 3 {
		if err := short(20 * time.Millisecond); !errors.Is(err, errUnanswered) {
			t.Errorf("a process that hangs: %v", err)
		}
	}
	last := s.ask() // Still the first.
	close(release)
	<-last.answered
	if last.err != nil {
		t.Errorf("a process that goes on: %v", last.err)
	}
	if n := asked.Load(); n != 1 {
		t.Errorf("it was asked %d times", n)
	}
	if err := short(testLimit); err != nil || asked.Load() != 2 {
		t.Errorf("the next probe: %v, asked %d times", err, asked.Load())
	}
	s.Kill()
	<-s.life.Done()
	if err := s.probe(t.Context()); err == nil {
		t.Error("a process that is gone answers")
	}
	_ = server.Close()
	work.Wait()
	if served != nil {
		t.Errorf("Serve: %v", served)
	}
}
