package supervise

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"sync"
	"time"

	"breakbank/platform/process"
)

// lookAgain is the pause between two looks at a process that takes a signal.
const lookAgain = 5 * time.Millisecond

// wish is what can be asked of a keeper.
type wish string

const (
	start   wish = "start"
	stop    wish = "stop"
	restart wish = "restart"
	kill    wish = "kill"
	pause   wish = "pause"
	resume  wish = "resume"
	leave   wish = "leave" // kill it and keep it no more
)

type request struct {
	wish wish
	ctx  context.Context
	done chan<- error
}

// keeper keeps one part running. What happens to the part happens in run, one
// thing after the other.
type keeper struct {
	part     Part
	presence *os.File
	log      *slog.Logger
	ending   <-chan struct{} // closed when the supervisor ends
	requests chan request
	left     chan struct{} // closed when run has ended

	process *process.Process // nil when none runs; run alone uses it
	backoff backoff          // run alone uses it
	retry   *time.Timer      // fires when the part is due

	mu      sync.Mutex
	shown   Status           // but for what running tells
	running *process.Process // what process is
	starts  int64
	early   int
}

func newKeeper(p Part, c Config, ending <-chan struct{}) *keeper {
	retry := time.NewTimer(waitMax)
	retry.Stop()
	return &keeper{
		part: p, presence: c.Presence, log: c.Log.With("supervised", p.Name), ending: ending,
		requests: make(chan request), left: make(chan struct{}), retry: retry,
		shown: Status{Name: p.Name, State: Down},
	}
}

// ask has something done and returns when it has been.
func (k *keeper) ask(ctx context.Context, w wish) error {
	done := make(chan error, 1)
	select {
	case k.requests <- request{w, ctx, done}:
	case <-k.left:
		return fmt.Errorf("%s %s: %w", w, k.part.Name, errClosed)
	case <-ctx.Done():
		return fmt.Errorf("%s %s: %w", w, k.part.Name, context.Cause(ctx))
	}
	if err := <-done; err != nil { // It is bounded where it is done.
		return fmt.Errorf("%s %s: %w", w, k.part.Name, err)
	}
	return nil
}

func (k *keeper) run() {
	defer close(k.left)
	defer k.retry.Stop()
	defer k.end()
	for {
		var ended <-chan struct{}
		if k.process != nil {
			ended = k.process.Done()
		}
		select {
		case <-k.ending:
			return
		case r := <-k.requests:
			r.done <- k.do(r)
			if r.wish == leave {
				return
			}
		case <-ended:
			k.await(k.bury())
		case <-k.retry.C:
			if err := k.begin(); err != nil {
				k.await(k.backoff.ended(0))
			}
		}
	}
}

func (k *keeper) do(r request) error {
	switch r.wish {
	case start:
		if k.process != nil && k.process.State() != process.Gone {
			return nil
		}
		k.end() // Its end may not have been noticed yet.
		return k.beginAfresh()
	case restart:
		k.end()
		return k.beginAfresh()
	case stop, leave:
		k.end()
		return nil
	}
	if k.process == nil {
		return errors.New("it does not run")
	}
	switch r.wish {
	case kill:
		k.log.Info("killing", "pid", k.process.PID())
		k.process.Kill() // run sees its end as any other.
		return nil
	case pause:
		return k.signal(r.ctx, "paused", k.process.Stop, process.Stopped)
	case resume:
		return k.signal(r.ctx, "resumed", k.process.Continue, process.Running)
	}
	return errors.New("nobody knows how")
}

// signal sends a signal and waits until the kernel has done what it says.
func (k *keeper) signal(ctx context.Context, done string, send func() error, want process.State) error {
	if err := send(); err != nil {
		return err
	}
	limit := time.NewTimer(signalLimit)
	defer limit.Stop()
	again := time.NewTicker(lookAgain)
	defer again.Stop()
	for {
		switch k.process.State() {
		case want:
			k.log.Info(done, "pid", k.process.PID())
			return nil
		case process.Gone:
			return errors.New("it has ended")
		}
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-k.ending:
			return errClosed
		case <-limit.C:
			return fmt.Errorf("it is not %s within %v", want, signalLimit)
		case <-again.C:
		}
	}
}

// beginAfresh starts the part, which is down, because somebody wants it. If that
// fails it is tried again later.
func (k *keeper) beginAfresh() error {
	err := k.begin()
	if err != nil {
		k.await(k.backoff.ended(0))
	}
	return err
}

// begin starts a process of the part.
func (k *keeper) begin() error {
	cmd := k.part.Command()
	if cmd.Stderr == nil {
		cmd.Stderr = k.part.Stderr
	}
	if cmd.Stderr == nil {
		cmd.Stderr = os.Stderr
	}
	p, err := process.Start(cmd, process.Options{Name: k.part.Name, Presence: k.presence})
	if err != nil {
		k.log.Error("cannot be started", "error", err)
		k.show(func(s *Status) { s.LastExit = at(time.Now()) + err.Error() })
		return err
	}
	k.process = p
	k.show(func(s *Status) {
		s.State, s.PID, s.StartedAt = Running, p.PID(), p.StartedAt()
		k.starts++
	})
	k.log.Info("started", "pid", p.PID())
	return nil
}

// end kills the process, if one runs; the part stays down.
func (k *keeper) end() {
	k.retry.Stop()
	if k.process != nil {
		k.process.Kill()
		k.bury()
	}
	k.backoff.forget()
	k.show(func(s *Status) { s.State = Down })
}

// bury takes note of a process's end and returns how long the part is to wait.
func (k *keeper) bury() time.Duration {
	p := k.process
	k.process = nil
	now := time.Now()
	lived := now.Sub(p.StartedAt())
	how := exitWords(p.Err())
	wait := k.backoff.ended(lived)
	k.show(func(s *Status) {
		s.State = Waiting
		s.LastExit = fmt.Sprintf("%safter %v, %s", at(now), lived.Round(time.Millisecond), how)
	})
	k.log.Info("ended", "pid", p.PID(), "how", how, "lived", lived)
	return wait
}

// await has the part started again after a while.
func (k *keeper) await(wait time.Duration) {
	k.retry.Reset(wait)
	k.show(func(s *Status) { s.State = Waiting })
	level := slog.LevelInfo
	if k.backoff.early >= loopFrom {
		level = slog.LevelWarn
	}
	k.log.Log(context.Background(), level, "starts again", "in", wait, "early_ends", k.backoff.early)
}

func (k *keeper) show(change func(*Status)) {
	k.mu.Lock()
	defer k.mu.Unlock()
	change(&k.shown)
	k.running, k.early = k.process, k.backoff.early
}

// status is the part as it stands.
func (k *keeper) status() Status {
	k.mu.Lock()
	defer k.mu.Unlock()
	s := k.shown
	s.Restarts = max(k.starts-1, 0)
	var runs time.Duration
	if k.running != nil {
		s.State = stateOf(k.running)
		runs = time.Since(s.StartedAt)
	}
	s.CrashLoop = crashLoop(k.early, runs)
	return s
}

// at says when, to be followed by what.
func at(t time.Time) string { return t.UTC().Format("15:04:05.000") + " " }
