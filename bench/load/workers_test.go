package load_test

import (
	"os/exec"
	"strings"
	"sync"
	"testing"
	"time"

	"breakbank/bench/load"
	"breakbank/loadgen/workers"
)

// workersHere are worker processes of this machine; started, if not nil, gets
// the commands.
func workersHere(n int, started func(*exec.Cmd)) *load.Workers {
	return &load.Workers{Here: n, Command: func(url, name string) *exec.Cmd {
		cmd := again(asWorker+"="+url, asWorkerName+"="+name)
		if started != nil {
			started(cmd)
		}
		return cmd
	}}
}

// TestWorkersShareOneSchedule: together they send each request once.
func TestWorkersShareOneSchedule(t *testing.T) {
	t.Parallel()
	target := serve(t, &server{failEach: 10})
	s := spec(target)
	s.WarmUp, s.Duration, s.Objective = 500*time.Millisecond, 1600*time.Millisecond, time.Minute
	w := &watcher{}
	r := mustRun(t, s, load.Options{RunID: "run", Workers: workersHere(3, nil), Observer: w})
	s.WarmUp = 0
	alone := mustRun(t, s, load.Options{RunID: "alone"})
	warm := r.Phases[0].Journeys[unary]
	switch {
	case r.ScheduleSHA256 != alone.ScheduleSHA256 || r.Totals.Scheduled != alone.Totals.Scheduled:
		t.Errorf("%d by workers, %d alone", r.Totals.Scheduled, alone.Totals.Scheduled)
	case r.Totals.Sent != r.Totals.Scheduled || warm.Sent+r.Totals.Sent+alone.Totals.Sent != target.calls.Load():
		t.Errorf("%d and %d sent, %d alone, %d calls", warm.Sent, r.Totals.Sent, alone.Totals.Sent, target.calls.Load())
	case r.Goodput.Good != r.Totals.OK || r.Totals.Failed == 0 || int64(r.Totals.LatencyMs.Samples) != r.Totals.Sent:
		t.Errorf("%+v, %+v", r.Goodput, r.Totals)
	case len(r.Workers) != 3 || r.Workers[0].Name != "here-1" || r.Workers[0].Sent+r.Workers[1].Sent+r.Workers[2].Sent != r.Totals.Sent:
		t.Errorf("%+v", r.Workers)
	case r.Totals.GeneratorCPUS <= 0 || r.Evidence.Sent != r.Totals.Sent:
		t.Errorf("%+v", r.Evidence)
	}
	if len(w.ticks) == 0 {
		t.Fatal("nothing was told while it lasted")
	}
	last := w.ticks[len(w.ticks)-1]
	if last.Phase != load.PhaseMain || last.Offered < r.Totals.Scheduled/2 || last.Overall.P50 == nil || last.Workers == "" {
		t.Errorf("the last tick was %+v", last)
	}
}

// TestAWorkersLastWordIsAll: before a worker reports it tells all that it did, so
// that nothing of it is missing from what is shown.
func TestAWorkersLastWordIsAll(t *testing.T) {
	t.Parallel()
	s := spec(serve(t, &server{}))
	s.Duration = 300 * time.Millisecond // over before it has told anything in passing
	s, err := load.Resolve(t.Context(), s)
	if err != nil {
		t.Fatal(err)
	}
	job, sha, err := load.JobOf(s, "run")
	if err != nil {
		t.Fatal(err)
	}
	var last workers.State
	c, err := workers.Listen(workers.Options{
		Workers: 1, Spec: job, ScheduleSHA256: sha, Wait: time.Minute, Limit: time.Minute,
		Observe: func(state workers.State) { last = state },
	})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	worked := make(chan error, 1)
	go func() { worked <- load.Work(t.Context(), c.URL(), "one") }()
	outcome, err := c.Run(t.Context())
	if err != nil || len(outcome.Reports) != 1 {
		t.Fatalf("%+v, %v", outcome, err)
	}
	if err := <-worked; err != nil {
		t.Error(err)
	}
	told, err := load.LastTold(last.Workers[0])
	if err != nil {
		t.Fatalf("it told nothing that can be read: %v", err)
	}
	if told.At < told.Of || told.Done < 50 || told.Done != told.Offered || told.Sent != told.Done || told.InFlight != 0 {
		t.Errorf("%+v", told)
	}
}

// TestALostWorkerMakesItInvalid: the rest finish, and the result says who was
// lost.
func TestALostWorkerMakesItInvalid(t *testing.T) {
	t.Parallel()
	s := spec(serve(t, &server{}))
	// However late the first tick comes, the worker is killed well before its end.
	s.Duration = 4 * time.Second
	var mu sync.Mutex
	var commands []*exec.Cmd
	var once sync.Once
	r := mustRun(t, s, load.Options{
		Workers: workersHere(2, func(cmd *exec.Cmd) { mu.Lock(); commands = append(commands, cmd); mu.Unlock() }),
		Observer: &watcher{onTick: func(load.Tick) {
			once.Do(func() { mu.Lock(); defer mu.Unlock(); _ = commands[1].Process.Kill() })
		}},
	})
	text := load.Text(r)
	if r.Valid || r.Partial || !strings.Contains(strings.Join(r.InvalidReasons, "; "), "here-2") || !strings.Contains(text, "LOST") {
		t.Errorf("valid %v, partial %v, %q\n%s", r.Valid, r.Partial, r.InvalidReasons, text)
	}
	if r.Totals.Sent == 0 || r.Totals.Sent > r.Totals.Scheduled*6/10 {
		t.Errorf("%d sent of %d", r.Totals.Sent, r.Totals.Scheduled)
	}
}

func TestAWorkerThatCannotBeginIsNamed(t *testing.T) {
	t.Parallel()
	s := spec(serve(t, &server{}))
	_, err := load.Run(t.Context(), s, load.Options{Workers: &load.Workers{Here: 1, Command: func(string, string) *exec.Cmd {
		return again(asWorker + "=nats://127.0.0.1:1")
	}}})
	if err == nil || !strings.Contains(err.Error(), "here-1") {
		t.Errorf("got %v", err)
	}
}

func TestSelfTest(t *testing.T) {
	t.Parallel()
	s := spec(serve(t, &server{}))
	test, err := load.RunSelfTest(t.Context(), s, load.SelfTestOptions{Server: func(address string) *exec.Cmd {
		return again(asNullServer + "=" + address)
	}})
	if err != nil {
		t.Fatal(err)
	}
	r := test.Result
	if test.OfferedShare < 0.99 || r.Totals.OK != r.Totals.Sent || r.Totals.RatePerS < 1.7*s.RatePerS || r.Totals.RatePerS > 2.3*s.RatePerS || test.Able != r.Valid {
		t.Errorf("offered %g: %+v", test.OfferedShare, r.Totals)
	}
	if text := load.SelfTestText(test); !strings.Contains(text, "send delay  p50") || !strings.Contains(text, "2 times") {
		t.Error(text)
	}
}
