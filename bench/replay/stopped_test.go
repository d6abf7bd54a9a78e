package replay

import (
	"context"
	"fmt"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"breakbank/bench/result"
	"breakbank/loadgen"
)

// TestStopped: a run that is stopped returns at once with what it measured.
func TestStopped(t *testing.T) {
	t.Parallel()
	platform := startFake(t)
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	opts := options(t, "testdata/quick.yaml", "linkerd-2017")
	opts.Offer = platform.offer
	opts.Observer = &watcher{onEvent: func(e result.Event) {
		if e.ID == "standin" {
			stop()
		}
	}}
	opts.Audit = func(context.Context, string, []loadgen.Record, bool) (result.Audit, error) {
		t.Error("a stopped run was audited")
		return result.Audit{}, nil
	}
	res, err := prepare(t, opts).Play(ctx, platform)
	if err != nil {
		t.Fatal(err)
	}
	if !res.Partial || res.Valid || len(res.Phases) != 3 || res.Load.Done == 0 {
		t.Errorf("partial %v, valid %v, %d phases, %d journeys", res.Partial, res.Valid, len(res.Phases), res.Load.Done)
	}
	if _, err := Read(opts.Dir); err != nil {
		t.Errorf("the partial result was not written: %v", err)
	}
}

// TestStoppedAfterTheScript: Ctrl-C while the last journeys are in flight, while
// the backlogs drain, or during the audit ends the run soon, and what it
// measured is partial: it says nothing of the books.
func TestStoppedAfterTheScript(t *testing.T) {
	t.Parallel()
	// soon is far less than a journey's patience of 15 s and the 60 s of a drain.
	const soon = 5 * time.Second
	for name, arrange := range map[string]func(*fakePlatform, *Options, func()){
		"journeys are in flight": func(platform *fakePlatform, opts *Options, stop func()) {
			opts.Offer = func(ctx context.Context, runner loadgen.Runner, load Load) (loadgen.Summary, error) {
				summary, err := platform.offer(ctx, runner, load)
				if load.Schedule.Load == loadgen.LoadMain {
					stop()
					<-platform.Done() // The last of them hangs, until its connection breaks.
				}
				return summary, err
			}
		},
		"the backlogs drain": func(platform *fakePlatform, opts *Options, stop func()) {
			platform.stuck = true
			var loadEnded atomic.Bool
			opts.Offer = func(ctx context.Context, runner loadgen.Runner, load Load) (loadgen.Summary, error) {
				summary, err := platform.offer(ctx, runner, load)
				loadEnded.Store(load.Schedule.Load == loadgen.LoadMain)
				return summary, err
			}
			var asked atomic.Int64
			platform.onBacklog = func() {
				if loadEnded.Load() && asked.Add(1) == 2 {
					stop()
				}
			}
		},
		"the books are audited": func(_ *fakePlatform, opts *Options, stop func()) {
			opts.Audit = func(ctx context.Context, _ string, _ []loadgen.Record, _ bool) (result.Audit, error) {
				stop()
				return result.Audit{}, fmt.Errorf("reading the books: %w", ctx.Err())
			}
		},
		"the audit is as good as done": func(_ *fakePlatform, opts *Options, stop func()) {
			opts.Audit = func(context.Context, string, []loadgen.Record, bool) (result.Audit, error) {
				stop()
				return result.Audit{Ran: true, Passed: true}, nil
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			platform := startFake(t)
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			var stopped atomic.Int64
			opts := options(t, "testdata/brief.yaml", "linkerd-2017")
			opts.Offer = platform.offer
			opts.Audit = func(context.Context, string, []loadgen.Record, bool) (result.Audit, error) {
				t.Error("a stopped run was audited")
				return result.Audit{}, nil
			}
			arrange(platform, &opts, func() {
				stopped.Store(time.Now().UnixNano())
				cancel()
			})
			res, err := prepare(t, opts).Play(ctx, platform)
			if err != nil {
				t.Fatal(err)
			}
			if took := time.Since(time.Unix(0, stopped.Load())); took > soon {
				t.Errorf("went on for %v", took)
			}
			if !res.Partial || res.Valid || res.Audit.Ran || len(res.Audit.Checks) > 0 {
				t.Errorf("partial %v, valid %v, audit %+v", res.Partial, res.Valid, res.Audit)
			}
			if res.Phases[0].Seconds() < 1 {
				t.Errorf("the script lasted %.1f s and takes one", res.Phases[0].Seconds())
			}
			if read, err := Read(opts.Dir); err != nil || !read.Partial {
				t.Errorf("the partial result was not written: %v", err)
			}
		})
	}
}

// TestStuckObserver: results are written whatever becomes of the terminal, and
// the run ends soon after.
func TestStuckObserver(t *testing.T) {
	t.Parallel()
	platform := startFake(t)
	opts := options(t, "testdata/brief.yaml", "linkerd-2017")
	opts.Offer = platform.offer
	ctrlQ := make(chan struct{})
	defer close(ctrlQ)
	opts.Observer = &watcher{onEvent: func(result.Event) { <-ctrlQ }}
	type outcome struct {
		res *result.Result
		err error
	}
	ended := make(chan outcome, 1)
	run := prepare(t, opts)
	go func() {
		res, err := run.Play(t.Context(), platform)
		ended <- outcome{res, err}
	}()
	limit := time.NewTimer(20 * time.Second)
	defer limit.Stop()
	select {
	case o := <-ended:
		if o.err != nil || o.res.Partial {
			t.Errorf("error %v, result %+v", o.err, o.res)
		}
	case <-limit.C:
		t.Error("the run waits for its observer")
	}
	if _, err := Read(opts.Dir); err != nil {
		t.Errorf("the result was not written: %v", err)
	}
}

// TestPlatformEnds: a platform that ends by itself stops the run and is named.
func TestPlatformEnds(t *testing.T) {
	t.Parallel()
	platform := startFake(t)
	opts := options(t, "testdata/quick.yaml", "linkerd-2017")
	opts.Offer = platform.offer
	opts.Observer = &watcher{onEvent: func(e result.Event) {
		if e.ID == "broken" {
			go platform.Kill()
		}
	}}
	res, err := prepare(t, opts).Play(t.Context(), platform)
	if err != nil {
		t.Fatal(err)
	}
	if !res.Partial || !slices.Contains(res.InvalidReasons, ErrPlatformEnded.Error()) {
		t.Errorf("partial %v: %v", res.Partial, res.InvalidReasons)
	}
}
