package loadgen_test

import (
	"context"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"breakbank/loadgen"
	"breakbank/loadgen/nullserver"
	"breakbank/loadgen/pacer"
	"breakbank/loadgen/transport"
)

// takes is a server that answers everybody after a while.
func takes(d time.Duration) nullserver.Behaviour {
	return func(int64, time.Duration) nullserver.Answer { return nullserver.Answer{Takes: d} }
}

// TestALoadThatIsFarBehindCanBeStopped: however much is due at once, the end of
// the context is seen.
func TestALoadThatIsFarBehindCanBeStopped(t *testing.T) {
	const due = 20_000
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	var built atomic.Int64
	spec := loadgen.JourneySpec{Name: "test", Weight: 1, Patience: 10 * time.Second, Steps: []loadgen.Step{{
		Build: func(v *loadgen.Visit, c *transport.Call) error {
			if built.Add(1) == 10 {
				cancel()
			}
			return call(v, c)
		}, Judge: judge,
	}}}
	s, err := loadgen.Draw(loadgen.Plan{Seed: 1, Pacer: pacer.Constant{PerS: due}, Duration: time.Second, Journeys: []loadgen.JourneySpec{spec}})
	if err != nil {
		t.Fatal(err)
	}
	var records atomic.Int64
	summary, err := (&loadgen.Runner{Transport: target(t, nil)}).Run(ctx, s, time.Now().Add(-2*time.Second),
		loadgen.SinkFunc(func(*loadgen.Record) { records.Add(1) }))
	if err != nil {
		t.Fatal(err)
	}
	if n := built.Load(); n > 1000 || !summary.Interrupted || summary.Sent != int(n) || records.Load() != n {
		t.Errorf("%d were begun and %d recorded after the end: %d sent", n, records.Load(), summary.Sent)
	}
}

// TestAClosedLoopThatWasStopped ends after its time, since a call lasts until
// then, but was stopped before.
func TestAClosedLoopThatWasStopped(t *testing.T) {
	const lasts = 200 * time.Millisecond
	ctx, cancel := context.WithTimeout(t.Context(), lasts/4)
	defer cancel()
	tr := target(t, takes(2*lasts))
	_, summary := offer(t, ctx, loadgen.Runner{Transport: tr, Closed: 2},
		loadgen.JourneySpec{Steps: []loadgen.Step{{Build: call, Judge: judge}}}, 100, lasts)
	if !summary.Interrupted {
		t.Errorf("%+v", summary)
	}
}

// tardy lets a call be begun after the transport has given up, of one whose
// deadline was set before.
type tardy struct {
	transport.Transport
	once  sync.Once
	given chan struct{}
}

func (l *tardy) GiveUp() {
	l.Transport.GiveUp()
	l.once.Do(func() { close(l.given) })
}

// TestAStepThatIsBegunWhileAllIsGivenUp must not be waited for as long as its
// patience.
func TestAStepThatIsBegunWhileAllIsGivenUp(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	tr := &tardy{Transport: target(t, takes(30*time.Second)), given: make(chan struct{})}
	step := loadgen.Step{Judge: judge, Build: func(v *loadgen.Visit, c *transport.Call) error {
		cancel()
		<-tr.given
		return call(v, c)
	}}
	pause := step
	pause.Think = func(*loadgen.Visit) time.Duration { return 20 * time.Millisecond } // to the goroutine of pauses
	began := time.Now()
	offer(t, ctx, loadgen.Runner{Transport: tr, Grace: 50 * time.Millisecond},
		loadgen.JourneySpec{Steps: []loadgen.Step{pause}}, 100, 15*time.Millisecond) // one arrival
	if took := time.Since(began); took > 5*time.Second {
		t.Errorf("it took %v to stop", took)
	}
}

// TestPartsOfAClosedLoop: no two workers perform journeys of one number, which
// is in the keys of payments.
func TestPartsOfAClosedLoop(t *testing.T) {
	tr, seen := target(t, nil), map[int]int{}
	for part := range 3 {
		records, _ := offer(t, t.Context(), loadgen.Runner{Transport: tr, Closed: 2, Part: part, Parts: 3},
			loadgen.JourneySpec{Steps: []loadgen.Step{{Build: call, Judge: judge}}}, 100, 50*time.Millisecond)
		for id := range records {
			if other, taken := seen[id[0]]; taken {
				t.Fatalf("journey %d was performed by workers %d and %d", id[0], other, part)
			}
			seen[id[0]] = part
		}
	}
	if len(seen) < 6 {
		t.Errorf("%d journeys", len(seen))
	}
}
