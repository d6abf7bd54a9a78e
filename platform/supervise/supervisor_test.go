package supervise

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/exec"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"breakbank/platform/process"
)

func TestWhatCrashesIsStartedAgain(t *testing.T) {
	b := newBed(t, Config{}, part("a", "lasting"))
	first := b.of("a")
	if first.State != Running || first.PID == 0 || first.Restarts != 0 || first.LastExit != "" {
		t.Fatalf("started as %+v", first)
	}
	b.must(syscall.Kill(first.PID, syscall.SIGKILL))
	second := b.await("a", "a restart", func(s Status) bool { return s.Restarts == 1 && running(s) })
	if second.PID == first.PID || second.StartedAt.Sub(first.StartedAt) < waitMin {
		t.Errorf("was %+v, is %+v", first, second)
	}
	if !strings.HasSuffix(second.LastExit, "by signal 9 (killed)") {
		t.Errorf("its exit is %q", second.LastExit)
	}
	b.mustBeGone(first.PID)
	// Asked for, it is the same.
	b.must(b.Kill(b.ctx, "a"))
	b.mustBeGone(second.PID)
	b.await("a", "a restart", func(s Status) bool { return s.Restarts == 2 && running(s) })
}

func TestARestartIsAtOnce(t *testing.T) {
	b := newBed(t, Config{}, part("a", "lasting"))
	for n := range 2 * loopFrom { // No wait grows.
		before := b.of("a")
		if n == loopFrom {
			b.must(b.Pause(b.ctx, "a")) // A paused process is restarted like any other.
		}
		b.must(b.Restart(b.ctx, "a"))
		after := b.of("a")
		if after.State != Running || after.PID == before.PID || after.Restarts != before.Restarts+1 || after.CrashLoop != "" {
			t.Fatalf("was %+v, is %+v", before, after)
		}
		b.mustBeGone(before.PID)
	}
}

func TestAPauseLastsUntilItIsResumed(t *testing.T) {
	b := newBed(t, Config{}, part("a", "lasting"))
	before := b.of("a")
	for range 2 { // Either can be asked for twice.
		b.must(b.Pause(b.ctx, "a"))
		if s := b.of("a"); s.State != Paused || s.Process() != process.Stopped || s.PID != before.PID {
			t.Errorf("paused, it is %+v", s)
		}
	}
	for range 2 {
		b.must(b.Resume(b.ctx, "a"))
		if s := b.of("a"); s.State != Running || s.Process() != process.Running || s.PID != before.PID {
			t.Errorf("resumed, it is %+v", s)
		}
	}
	b.must(b.Pause(b.ctx, "a"))
	b.must(b.Kill(b.ctx, "a"))
	b.await("a", "a restart", func(s Status) bool { return s.Restarts == 1 && running(s) })
}

func TestWhatIsStoppedStaysDown(t *testing.T) {
	b := newBed(t, Config{}, part("a", "lasting"), part("b", "lasting"))
	before := b.of("a")
	b.must(b.StopPart(b.ctx, "a"))
	b.mustBeGone(before.PID)
	// Meanwhile another part crashes and returns.
	b.must(b.Kill(b.ctx, "b"))
	b.await("b", "a restart", func(s Status) bool { return s.Restarts == 1 && running(s) })
	if s := b.of("a"); s.State != Down || s.Process() != process.Gone || s.Restarts != 0 {
		t.Errorf("stopped, it is %+v", s)
	}
	for _, ask := range []error{b.Kill(b.ctx, "a"), b.Pause(b.ctx, "a"), b.Resume(b.ctx, "a")} {
		if ask == nil {
			t.Error("something was done to what does not run")
		}
	}
	b.must(b.StopPart(b.ctx, "a"))
	for range 2 {
		b.must(b.StartPart(b.ctx, "a"))
		if s := b.of("a"); s.State != Running || s.Restarts != 1 || s.PID == before.PID {
			t.Errorf("started, it is %+v", s)
		}
	}
}

// What cannot live is tried again and again, less and less often, and is seen to
// be.
func TestACrashLoopIsSeen(t *testing.T) {
	var mu sync.Mutex
	var starts []time.Time
	kind := "four"
	b := newBed(t, Config{}, Part{Name: "a", Command: func() *exec.Cmd {
		mu.Lock()
		defer mu.Unlock()
		starts = append(starts, time.Now())
		return command(kind)
	}})
	s := b.await("a", "a crash loop", func(s Status) bool { return s.CrashLoop != "" && s.State == Waiting })
	// It may have ended again since.
	var times int
	_, err := fmt.Sscanf(s.CrashLoop, "it has ended %d times", &times)
	if !strings.HasSuffix(s.LastExit, "with exit status 4") || err != nil || times < loopFrom {
		t.Errorf("it is %+v: %v", s, err)
	}
	mu.Lock()
	kind = "lasting"
	for n := range len(starts) - 1 {
		if gap, want := starts[n+1].Sub(starts[n]), waitMin<<n; gap < want {
			t.Errorf("start %d came %v after the one before, want at least %v", n+1, gap, want)
		}
	}
	mu.Unlock()
	b.await("a", "a life", running)
	// Whoever mends it need not wait.
	b.must(b.Restart(b.ctx, "a"))
	if s := b.of("a"); s.CrashLoop != "" {
		t.Errorf("restarted on purpose, it is %+v", s)
	}
}

func TestNothingStartsWhatWasStoppedOrStartedMeanwhile(t *testing.T) {
	var mu sync.Mutex
	kind := "four"
	b := newBed(t, Config{}, Part{Name: "a", Command: func() *exec.Cmd {
		mu.Lock()
		defer mu.Unlock()
		return command(kind)
	}})
	due := func() bool { return b.keepers["a"].retry.Stop() }
	b.await("a", "a crash", func(s Status) bool { return s.State == Waiting })
	b.must(b.StopPart(b.ctx, "a"))
	if s := b.of("a"); s.State != Down || due() {
		t.Errorf("stopped, and to be started again, it is %+v", s)
	}
	b.must(b.StartPart(b.ctx, "a"))
	b.await("a", "a crash", func(s Status) bool { return s.State == Waiting })
	mu.Lock()
	kind = "lasting"
	mu.Unlock()
	b.must(b.StartPart(b.ctx, "a"))
	if s := b.of("a"); s.State != Running || due() {
		t.Errorf("started, and to be started again, it is %+v", s)
	}
}

func TestWhatCannotStartIsNotTakenOn(t *testing.T) {
	b := newBed(t, Config{}, part("a", "lasting"))
	nonsense := Part{Name: "b", Command: func() *exec.Cmd { return exec.Command("/nonsense") }}
	if err := b.Start(b.ctx, nonsense); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("started with %v", err)
	}
	if err := b.Start(b.ctx, part("a", "lasting")); err == nil {
		t.Error("a part was taken on twice")
	}
	if all := b.List(); len(all) != 1 || all[0].Name != "a" {
		t.Errorf("the parts are %+v", all)
	}
	if err := b.Restart(b.ctx, "b"); err == nil || !strings.Contains(err.Error(), "they are a") {
		t.Errorf("restarted with %v", err)
	}
	before := b.of("a")
	b.must(b.Remove(b.ctx, "a"))
	b.mustBeGone(before.PID)
	if all := b.List(); len(all) != 0 {
		t.Errorf("the parts are %+v", all)
	}
}

// A program that has vanished is tried again until it is back.
func TestAProgramThatVanishesIsTriedAgain(t *testing.T) {
	var mu sync.Mutex
	there := true
	b := newBed(t, Config{}, Part{Name: "a", Command: func() *exec.Cmd {
		mu.Lock()
		defer mu.Unlock()
		if !there {
			return exec.Command("/nonsense")
		}
		return command("lasting")
	}})
	mu.Lock()
	there = false
	mu.Unlock()
	if err := b.Restart(b.ctx, "a"); err == nil {
		t.Error("restarted")
	}
	s := b.await("a", "attempts", func(s Status) bool { return s.CrashLoop != "" })
	if s.State != Waiting || !strings.Contains(s.LastExit, "/nonsense") {
		t.Errorf("it is %+v", s)
	}
	mu.Lock()
	there = true
	mu.Unlock()
	b.await("a", "a start", running)
}

func TestCloseLeavesNobody(t *testing.T) {
	presence, err := process.NewPresence()
	if err != nil {
		t.Fatal(err)
	}
	defer presence.Close()
	b := newBed(t, Config{Presence: presence.File()}, part("a", "lasting"), part("b", "lasting"), part("c", "four"), part("d", "lasting"))
	b.must(b.Pause(b.ctx, "b"))
	b.must(b.StopPart(b.ctx, "d"))
	var asked sync.WaitGroup
	for range 4 { // Whoever asks meanwhile gets an answer.
		asked.Go(func() {
			for b.Restart(b.ctx, "a") == nil {
				b.List()
			}
		})
	}
	b.Close()
	b.Close()
	asked.Wait()
	for _, s := range b.List() {
		if s.State != Down {
			t.Errorf("left: %+v", s)
		}
	}
	select {
	case <-presence.Gone():
	case <-b.ctx.Done():
		t.Error("somebody is there")
	}
	if err := b.Start(b.ctx, part("e", "lasting")); !errors.Is(err, errClosed) {
		t.Errorf("started with %v", err)
	}
	if err := b.StartPart(b.ctx, "d"); !errors.Is(err, errClosed) {
		t.Errorf("started with %v", err)
	}
}

// lockedBuffer is a log.
type lockedBuffer struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (l *lockedBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(p)
}

func (l *lockedBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}

func TestWhatHappensIsLogged(t *testing.T) {
	var said, log lockedBuffer
	shouting := part("a", "shouting")
	shouting.Stderr = &said
	b := newBed(t, Config{Log: slog.New(slog.NewTextHandler(&log, nil))}, shouting)
	b.await("a", "its words", func(Status) bool { return strings.Contains(said.String(), "here I am\n") })
	b.must(b.Pause(b.ctx, "a"))
	b.must(b.Resume(b.ctx, "a"))
	b.must(b.Kill(b.ctx, "a"))
	b.await("a", "a restart", func(s Status) bool { return s.Restarts == 1 && running(s) })
	text := log.String()
	for _, want := range []string{"started", "paused", "resumed", "killing", "ended", `"starts again"`, "supervised=a"} {
		if !strings.Contains(text, "msg="+want) && !strings.Contains(text, want) {
			t.Errorf("the log lacks %s:\n%s", want, text)
		}
	}
}

func TestWordsForAnExit(t *testing.T) {
	for kind, want := range map[string]string{"four": "with exit status 4", "": "with exit status 0"} {
		cmd := command(kind)
		if kind == "" {
			cmd.Args = append(cmd.Args, "-test.run=^$")
		}
		if got := exitWords(cmd.Run()); got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
	if got := exitWords(io.ErrUnexpectedEOF); got != "with unexpected EOF" {
		t.Errorf("%q", got)
	}
}
