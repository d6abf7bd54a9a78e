package workers

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"breakbank/loadgen"
)

const drawn = "0123456789abcdef"

// listen makes a coordinator for a test.
func listen(t *testing.T, o Options) *Coordinator {
	t.Helper()
	if o.Spec == nil {
		o.Spec = json.RawMessage(`{}`)
	}
	c, err := Listen(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c
}

// result is what Run returned.
type result struct {
	outcome *Outcome
	err     error
}

func run(ctx context.Context, c *Coordinator) <-chan result {
	done := make(chan result, 1)
	go func() {
		o, err := c.Run(ctx)
		done <- result{o, err}
	}()
	return done
}

// performance is what a worker does.
type performance func(ctx context.Context, job *Job) (Report, error)

// join joins in the background.
func join(t *testing.T, url, name string, do performance) <-chan error {
	t.Helper()
	done := make(chan error, 1)
	go func() { done <- Join(t.Context(), url, name, do) }()
	return done
}

// atOnce is ready, and has measured something at once.
func atOnce(ctx context.Context, job *Job) (Report, error) {
	if _, err := job.Ready(ctx, drawn); err != nil {
		return Report{}, err
	}
	return Report{Summary: loadgen.Summary{Scheduled: 5, Sent: 5}}, nil
}

// untilStopped is ready, says so, and goes on until it is told to stop.
func untilStopped(going chan<- string) performance {
	return func(ctx context.Context, job *Job) (Report, error) {
		if _, err := job.Ready(ctx, drawn); err != nil {
			return Report{}, err
		}
		going <- job.Worker
		<-ctx.Done()
		return Report{Summary: loadgen.Summary{Interrupted: true}, Facts: must(context.Cause(ctx).Error())}, nil
	}
}

func TestARun(t *testing.T) {
	const arrivals, parts = 1000, 3
	var mu sync.Mutex
	var lines []string
	var told int64
	c := listen(t, Options{
		Workers: parts, Spec: json.RawMessage(`{"rate":100}`), Token: NewToken(), ScheduleSHA256: drawn,
		Observe: func(s State) {
			mu.Lock()
			defer mu.Unlock()
			if line := s.String(); len(lines) == 0 || lines[len(lines)-1] != line {
				lines = append(lines, line)
			}
			for _, w := range s.Workers {
				if string(w.Progress.Snapshot) == "so far" {
					told = max(told, w.Progress.Sent)
				}
			}
		},
	})
	ended := run(t.Context(), c)
	recording := bytes.Repeat([]byte("recording "), 200_000) // Several pieces.
	all := make(chan struct{})
	ready := make(chan time.Time, parts)
	perform := func(ctx context.Context, job *Job) (Report, error) {
		if string(job.Spec) != `{"rate":100}` || job.Parts != parts {
			t.Errorf("job %+v", job)
		}
		start, err := job.Ready(ctx, drawn)
		if err != nil {
			return Report{}, err
		}
		ready <- start
		if err := job.Tell(Progress{Sent: 42, Snapshot: []byte("so far")}); err != nil {
			t.Error(err)
		}
		<-all
		sent := make([]int64, arrivals)
		for i := range sent {
			sent[i] = loadgen.NotSent
			if i%parts == job.Part && i != 500 {
				sent[i] = int64(i) * 1_000_000
			}
		}
		return Report{
			Summary:  loadgen.Summary{Scheduled: 10, Sent: 9, Dropped: 1, PeakInFlight: 3, SentNs: sent},
			Snapshot: append(recording, job.Worker...), Facts: must(job.Part), Reasons: []string{"a GC pause of 7 ms"}[:job.Part/2],
		}, nil
	}
	var joined []<-chan error
	for _, name := range []string{"a", "b", ""} {
		joined = append(joined, join(t, c.URL(), name, perform))
	}
	for range parts {
		if start := receive(t, "a worker's start", ready); time.Until(start) > DefaultLead {
			t.Errorf("a worker's clock starts in %v", time.Until(start))
		}
	}
	eventually(t, "progress was shown", func() bool {
		mu.Lock()
		defer mu.Unlock()
		return told == 42
	})
	close(all)
	for _, j := range joined {
		if err := receive(t, "the end of a worker", j); err != nil {
			t.Error(err)
		}
	}
	r := receive(t, "the end of the run", ended)
	if r.err != nil {
		t.Fatal(r.err)
	}
	o := r.outcome
	if len(o.Reports) != parts || len(o.Lost) != 0 || o.Partial || o.ScheduleSHA256 != drawn || o.Start.IsZero() {
		t.Fatalf("%d reports, %d lost, partial %v", len(o.Reports), len(o.Lost), o.Partial)
	}
	for part, r := range o.Reports {
		if r.Part != part || r.Parts != parts || string(r.Facts) != fmt.Sprint(part) || string(r.Snapshot) != string(recording)+r.Worker {
			t.Errorf("report %d is of %s, part %d of %d, facts %s, %d bytes", part, r.Worker, r.Part, r.Parts, r.Facts, len(r.Snapshot))
		}
	}
	if reasons := o.InvalidReasons(); len(reasons) != 1 || !strings.Contains(reasons[0], o.Reports[2].Worker+": a GC pause of 7 ms") {
		t.Errorf("reasons %q", reasons)
	}
	sum := MergeSummaries(o.Reports)
	if sum.Scheduled != 30 || sum.Sent != 27 || sum.Dropped != 3 || sum.PeakInFlight != 9 || len(sum.SentNs) != arrivals {
		t.Errorf("%+v", sum)
	}
	for i, ns := range sum.SentNs {
		if want := int64(i) * 1_000_000; ns != want && i != 500 || i == 500 && ns != loadgen.NotSent {
			t.Errorf("arrival %d was sent at %d", i, ns)
		}
	}
	mu.Lock()
	defer mu.Unlock()
	for _, want := range []string{"0 of 3 workers joined", "2 of 3 workers joined", "2 of 3 workers ready", "3 of 3 workers done"} {
		if !slices.Contains(lines, want) {
			t.Errorf("it never said %q, but %q", want, lines)
		}
	}
}

func TestCtrlCCollectsWhatWasMeasured(t *testing.T) {
	c := listen(t, Options{Workers: 2})
	ctx, interrupt := context.WithCancel(t.Context())
	defer interrupt()
	ended := run(ctx, c)
	going := make(chan string, 2)
	a, b := join(t, c.URL(), "a", untilStopped(going)), join(t, c.URL(), "b", untilStopped(going))
	receive(t, "one goes", going)
	receive(t, "the other goes", going)
	interrupt()
	r := receive(t, "the end of the run", ended)
	if r.err != nil || !r.outcome.Partial || len(r.outcome.Reports) != 2 || len(r.outcome.InvalidReasons()) != 0 {
		t.Fatalf("%+v, %v", r.outcome, r.err)
	}
	if got := string(r.outcome.Reports[0].Facts); got != `"the coordinator ended the run: it was interrupted"` {
		t.Errorf("a run was stopped because %s", got)
	}
	for _, j := range []<-chan error{a, b} {
		if err := receive(t, "the end of a worker", j); err != nil {
			t.Error(err)
		}
	}
}

func TestCtrlCBeforeTheLoad(t *testing.T) {
	joined := make(chan bool, 10)
	c := listen(t, Options{Workers: 2, Observe: func(s State) {
		if s.Stage == Joining && s.Joined == 1 {
			joined <- true
		}
	}})
	ctx, interrupt := context.WithCancel(t.Context())
	defer interrupt()
	ended := run(ctx, c)
	waiting := join(t, c.URL(), "a", atOnce)
	receive(t, "a joins", joined)
	interrupt()
	var stopped *Stopped
	if err := receive(t, "the end of the worker", waiting); !errors.As(err, &stopped) {
		t.Errorf("%v", err)
	}
	if r := receive(t, "the end of the run", ended); r.outcome != nil || !errors.Is(r.err, context.Canceled) {
		t.Errorf("%+v, %v", r.outcome, r.err)
	}
}

func TestAWorkerStoppedOnItsOwnMachine(t *testing.T) {
	c := listen(t, Options{Workers: 2})
	ended := run(t.Context(), c)
	going := make(chan string, 2)
	ctx, interrupt := context.WithCancel(t.Context())
	stopped := make(chan error, 1)
	go func() { stopped <- Join(ctx, c.URL(), "a", untilStopped(going)) }()
	other := make(chan struct{})
	b := join(t, c.URL(), "b", func(ctx context.Context, job *Job) (Report, error) {
		r, err := atOnce(ctx, job)
		<-other
		return r, err
	})
	receive(t, "a goes", going)
	interrupt()
	if err := receive(t, "the end of a", stopped); err != nil {
		t.Error(err)
	}
	close(other)
	if err := receive(t, "the end of b", b); err != nil {
		t.Error(err)
	}
	r := receive(t, "the end of the run", ended)
	if r.err != nil || r.outcome.Partial || len(r.outcome.Reports) != 2 {
		t.Fatalf("%+v, %v", r.outcome, r.err)
	}
	if got := strings.Join(r.outcome.InvalidReasons(), "\n"); !strings.Contains(got, "worker a: it was stopped on its own machine") {
		t.Errorf("reasons %q", got)
	}
}

func TestAWorkerThatFails(t *testing.T) {
	for _, c := range []struct {
		name string
		do   performance
		want string // of the coordinator's error
		late bool   // the load has begun
	}{
		{"before the load", func(context.Context, *Job) (Report, error) {
			return Report{}, errors.New("no such host: nowhere\nat all")
		}, "worker a: no such host: nowhere", false},
		{"after it has begun", func(ctx context.Context, job *Job) (Report, error) {
			_, err := atOnce(ctx, job)
			return Report{}, errors.Join(err, errors.New("the disk is full"))
		}, "worker a: the disk is full", true},
		{
			"never ready", func(context.Context, *Job) (Report, error) { return Report{}, nil },
			"worker a: it returned without having been ready", false,
		},
		{"ready twice", func(ctx context.Context, job *Job) (Report, error) {
			_, err := atOnce(ctx, job)
			if _, again := job.Ready(ctx, drawn); again == nil {
				return Report{}, err
			}
			return Report{}, errors.New("it was ready before")
		}, "worker a: it was ready before", true},
		{"with a report that cannot be told", func(ctx context.Context, job *Job) (Report, error) {
			r, err := atOnce(ctx, job)
			r.Facts = []byte("{")
			return r, err
		}, "worker a: encode the report: ", true},
	} {
		t.Run(c.name, func(t *testing.T) {
			co := listen(t, Options{Workers: 2})
			ended := run(t.Context(), co)
			going := make(chan string, 1)
			do := c.do
			if c.late { // Not before the other goes.
				do = func(ctx context.Context, job *Job) (Report, error) {
					r, err := c.do(ctx, job)
					select {
					case <-going:
					case <-ctx.Done():
					}
					return r, err
				}
			}
			a, b := join(t, co.URL(), "a", do), join(t, co.URL(), "b", untilStopped(going))
			if err := receive(t, "the end of a", a); err == nil {
				t.Error("the worker that failed does not know")
			}
			r := receive(t, "the end of the run", ended)
			var failure *Failure
			if !errors.As(r.err, &failure) || !strings.HasPrefix(r.err.Error(), c.want) || strings.Contains(r.err.Error(), "\n") {
				t.Errorf("%v", r.err)
			}
			err := receive(t, "the end of b", b)
			var stopped *Stopped
			switch {
			case !c.late && (!errors.As(err, &stopped) || r.outcome != nil):
				t.Errorf("the other ended with %v, outcome %+v", err, r.outcome)
			case c.late && (err != nil || len(r.outcome.Reports) != 1 || len(r.outcome.Lost) != 1 || !r.outcome.Partial):
				t.Errorf("the other ended with %v, outcome %+v", err, r.outcome)
			}
		})
	}
}

func TestACoordinatorThatGoesAway(t *testing.T) {
	c := listen(t, Options{Workers: 1})
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	ended := run(ctx, c)
	going := make(chan string, 1)
	why := make(chan error, 1)
	a := join(t, c.URL(), "a", func(ctx context.Context, job *Job) (Report, error) {
		r, err := untilStopped(going)(ctx, job)
		why <- context.Cause(ctx)
		return r, err
	})
	receive(t, "it goes", going)
	c.server.Shutdown()
	if cause := receive(t, "the end of the run's context", why); !errors.Is(cause, ErrLost) {
		t.Errorf("the run ended because of %v", cause)
	}
	if err := receive(t, "the end of the worker", a); !errors.Is(err, ErrLost) {
		t.Errorf("%v", err)
	}
	r := receive(t, "the end of the coordinator", ended)
	if r.err == nil || len(r.outcome.Lost) != 1 {
		t.Errorf("%+v, %v", r.outcome, r.err)
	}
}

func TestTellingTooMuch(t *testing.T) {
	c := listen(t, Options{Workers: 1})
	ended := run(t.Context(), c)
	a := join(t, c.URL(), "a", func(ctx context.Context, job *Job) (Report, error) {
		r, err := atOnce(ctx, job)
		if told := job.Tell(Progress{Snapshot: make([]byte, ProgressMax+1)}); told == nil {
			t.Error("it was told")
		}
		if told := job.Tell(Progress{Snapshot: make([]byte, ProgressMax)}); told != nil {
			t.Error(told)
		}
		return r, err
	})
	if err := receive(t, "the end of the worker", a); err != nil {
		t.Error(err)
	}
	if r := receive(t, "the end of the run", ended); r.err != nil || len(r.outcome.Reports) != 1 {
		t.Errorf("%+v, %v", r.outcome, r.err)
	}
}

func TestACoordinatorRunsOnce(t *testing.T) {
	c := listen(t, Options{Workers: 1, Wait: time.Nanosecond})
	if _, err := c.Run(t.Context()); err == nil || err.Error() != "0 of 1 worker joined within 1ns" {
		t.Errorf("%v", err)
	}
	if _, err := c.Run(t.Context()); err == nil {
		t.Error("it ran again")
	}
}
