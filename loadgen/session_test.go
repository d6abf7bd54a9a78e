package loadgen_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"google.golang.org/grpc/codes"

	"breakbank/loadgen"
	"breakbank/loadgen/nullserver"
	"breakbank/loadgen/pacer"
	"breakbank/loadgen/transport"
)

// target is a null server and a transport to it.
func target(t *testing.T, b nullserver.Behaviour) transport.Transport {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	server := nullserver.Misbehave(l, b, time.Now())
	t.Cleanup(func() { _ = server.Close() })
	tr, err := transport.NewWire(transport.Config{Targets: []transport.Target{{Name: "null", Addresses: []string{server.Addr()}, Connections: 2}}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(tr.Close)
	if err := tr.Settle(t.Context()); err != nil {
		t.Fatal(err)
	}
	return tr
}

var nullHead = &transport.Head{Path: "/null/Call", Authority: "null"}

// call is a step that asks the null server.
func call(v *loadgen.Visit, c *transport.Call) error {
	c.Head = nullHead
	c.Request, _ = transport.AppendMessage(nil, func(b []byte) ([]byte, error) { return b, nil })
	return nil
}

func judge(v *loadgen.Visit, c *transport.Call) loadgen.Decision {
	if c.Code != codes.OK {
		return loadgen.Refused(v.Spec.Write, loadgen.CodeName(c.Code), c.Message)
	}
	return loadgen.Decision{}
}

// offer performs a load of one journey and returns its records by number and
// try.
func offer(t *testing.T, ctx context.Context, r loadgen.Runner, spec loadgen.JourneySpec, perS float64, lasts time.Duration) (map[[2]int]loadgen.Record, loadgen.Summary) {
	t.Helper()
	spec.Weight, spec.Name = 1, "test"
	if spec.Patience == 0 {
		spec.Patience = 10 * time.Second
	}
	s, err := loadgen.Draw(loadgen.Plan{Seed: 1, Pacer: pacer.Constant{PerS: perS}, Duration: lasts, Journeys: []loadgen.JourneySpec{spec}})
	if err != nil {
		t.Fatal(err)
	}
	var mu sync.Mutex
	records := map[[2]int]loadgen.Record{}
	summary, err := r.Run(ctx, s, time.Now(), loadgen.SinkFunc(func(r *loadgen.Record) {
		mu.Lock()
		defer mu.Unlock()
		id := [2]int{r.Seq, r.Retry}
		if _, twice := records[id]; twice {
			t.Errorf("record %v came twice", id)
		}
		records[id] = *r
	}))
	if err != nil {
		t.Fatal(err)
	}
	return records, summary
}

func TestASession(t *testing.T) {
	const pause = 30 * time.Millisecond
	var mu sync.Mutex
	steps := map[int][]int{}
	step := func(n int, think bool) loadgen.Step {
		s := loadgen.Step{Build: call, Judge: func(v *loadgen.Visit, c *transport.Call) loadgen.Decision {
			mu.Lock()
			steps[v.Seq] = append(steps[v.Seq], n)
			mu.Unlock()
			if v.Seq == 3 && n == 1 {
				return loadgen.Decision{Outcome: loadgen.Declined, Code: "51"}
			}
			return judge(v, c)
		}}
		if think {
			s.Think = func(*loadgen.Visit) time.Duration { return pause }
		}
		return s
	}
	spec := loadgen.JourneySpec{Steps: []loadgen.Step{step(0, false), step(1, true), step(2, true)}}
	records, summary := offer(t, t.Context(), loadgen.Runner{Transport: target(t, nil)}, spec, 100, 100*time.Millisecond)
	if len(records) != 9 || summary.Sent != 9 { // at 10, 20, … 90 ms
		t.Fatalf("%d records, %+v", len(records), summary)
	}
	for id, r := range records {
		want, outcome, paused := []int{0, 1, 2}, loadgen.OK, 2*pause
		if id[0] == 3 {
			want, outcome, paused = []int{0, 1}, loadgen.Declined, pause
		}
		if !slices.Equal(steps[id[0]], want) || r.Outcome != outcome || r.ThinkNs != paused.Nanoseconds() {
			t.Errorf("visit %d: steps %v, %v, paused %v", id[0], steps[id[0]], r.Outcome, time.Duration(r.ThinkNs))
		}
		if r.DoneNs-r.SentNs < r.ThinkNs {
			t.Errorf("visit %d ended before its pauses did", id[0])
		}
	}
}

// TestWhatASessionLeavesInDoubt has the first or the second of two calls go
// unanswered, and the load stopped once it has come: only the one that writes
// leaves any doubt.
func TestWhatASessionLeavesInDoubt(t *testing.T) {
	for hangs, want := range []loadgen.Outcome{loadgen.Failed, loadgen.Unknown} {
		ctx, stop := context.WithCancel(t.Context())
		defer stop()
		tr := target(t, func(n int64, _ time.Duration) nullserver.Answer {
			if n == int64(hangs) {
				stop()
				return nullserver.Answer{Takes: time.Hour}
			}
			return nullserver.Answer{}
		})
		spec := loadgen.JourneySpec{Write: true, Steps: []loadgen.Step{
			{Looks: true, Build: call, Judge: judge}, {Build: call, Judge: judge},
		}}
		records, _ := offer(t, ctx, loadgen.Runner{Transport: tr, Grace: time.Millisecond}, spec, 100, 15*time.Millisecond)
		if r := records[[2]int{0, 0}]; len(records) != 1 || r.Outcome != want {
			t.Errorf("call %d hangs: %d records, %v %s %s, want %v", hangs, len(records), r.Outcome, r.Code, r.Err, want)
		}
	}
}

func TestRetries(t *testing.T) {
	const after = 20 * time.Millisecond
	spec := loadgen.JourneySpec{
		Steps: []loadgen.Step{{Build: call, Judge: func(v *loadgen.Visit, c *transport.Call) loadgen.Decision {
			if v.Retry < v.Seq { // the n-th needs n retries
				return loadgen.Decision{Outcome: loadgen.Failed, Code: "96"}
			}
			return judge(v, c)
		}}},
		Key: func(_ *loadgen.Schedule, seq, retry int) string { return fmt.Sprintf("%d-%d", seq, retry) },
		Again: func(_ *loadgen.Visit, d loadgen.Decision) (time.Duration, bool) {
			return after, d.Outcome == loadgen.Failed
		},
	}
	records, summary := offer(t, t.Context(), loadgen.Runner{Transport: target(t, nil)}, spec, 100, 50*time.Millisecond)
	// Arrivals at 10, 20, 30, 40 ms are numbered 0 to 3.
	if len(records) != 4+0+1+2+3 || summary.Scheduled != 4 || summary.Sent != 4 || summary.Retries != 6 {
		t.Fatalf("%d records, %+v", len(records), summary)
	}
	for id, r := range records {
		want := loadgen.Failed
		if id[1] == id[0] {
			want = loadgen.OK
		}
		if r.Outcome != want || r.Key != fmt.Sprintf("%d-%d", id[0], id[1]) {
			t.Errorf("%v: %v, key %q", id, r.Outcome, r.Key)
		}
		if id[1] > 0 {
			if before := records[[2]int{id[0], id[1] - 1}]; r.IntendedNs != before.DoneNs+after.Nanoseconds() {
				t.Errorf("%v was due %v after the try before it ended", id, time.Duration(r.IntendedNs-before.DoneNs))
			}
		}
	}
}

func TestRetriesAreBounded(t *testing.T) {
	spec := loadgen.JourneySpec{
		Steps: []loadgen.Step{{Build: func(*loadgen.Visit, *transport.Call) error { return errors.New("no words") }, Judge: judge}},
		Again: func(*loadgen.Visit, loadgen.Decision) (time.Duration, bool) { return 0, true },
	}
	records, summary := offer(t, t.Context(), loadgen.Runner{Transport: target(t, nil)}, spec, 100, 15*time.Millisecond)
	if len(records) != 17 || summary.Unsent != 1 || summary.Retries != 16 {
		t.Fatalf("%d records, %+v: a customer gives up after 16 retries", len(records), summary)
	}
	if r := records[[2]int{0, 0}]; r.Code != loadgen.CodeUnbuilt || r.Err != "no words" || r.Sent() {
		t.Errorf("%+v", r)
	}
}

// TestNobodyLingers stops loads whose customers are pausing, or about to try
// again: the sessions go on at once and end, and nobody tries again.
func TestNobodyLingers(t *testing.T) {
	const enough = 20 // customers who pause, or are about to try again
	for name, spec := range map[string]loadgen.JourneySpec{
		"pause": {Steps: []loadgen.Step{
			{Build: call, Judge: judge},
			{Think: func(*loadgen.Visit) time.Duration { return time.Hour }, Build: call, Judge: judge},
		}},
		"retry": {
			Steps: []loadgen.Step{{Build: call, Judge: func(*loadgen.Visit, *transport.Call) loadgen.Decision {
				return loadgen.Decision{Outcome: loadgen.Failed}
			}}},
			Again: func(*loadgen.Visit, loadgen.Decision) (time.Duration, bool) { return time.Hour, true },
		},
	} {
		t.Run(name, func(t *testing.T) {
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			var came atomic.Int64
			first := spec.Steps[0].Judge
			spec.Steps[0].Judge = func(v *loadgen.Visit, c *transport.Call) loadgen.Decision {
				if came.Add(1) == enough {
					cancel()
				}
				return first(v, c)
			}
			records, summary := offer(t, ctx, loadgen.Runner{Transport: target(t, nil)}, spec, 1000, 10*time.Second)
			if !summary.Interrupted || summary.Retries != 0 || len(records) < enough || len(records) != summary.Sent {
				t.Errorf("%d records, %d sent, %d retries, interrupted %v", len(records), summary.Sent, summary.Retries, summary.Interrupted)
			}
		})
	}
}

// TestPartsMakeTheWhole has three workers perform a third each: together they
// perform every arrival once.
func TestPartsMakeTheWhole(t *testing.T) {
	const parts = 3
	var seen []int
	scheduled := 0
	for part := range parts {
		records, summary := offer(t, t.Context(), loadgen.Runner{Transport: target(t, nil), Part: part, Parts: parts},
			loadgen.JourneySpec{Steps: []loadgen.Step{{Build: call, Judge: judge}}}, 1000, 100*time.Millisecond)
		scheduled += summary.Scheduled
		for id := range records {
			seen = append(seen, id[0])
		}
	}
	slices.Sort(seen)
	if len(seen) != 99 || scheduled != 99 || seen[0] != 0 || seen[98] != 98 || len(slices.Compact(seen)) != 99 {
		t.Errorf("%d arrivals performed, %d scheduled: %v", len(seen), scheduled, seen)
	}
}

// TestAClosedLoop keeps as many under way as it should, and no more, until the
// time is over.
func TestAClosedLoop(t *testing.T) {
	const takes, streams = 20 * time.Millisecond, 10
	tr := target(t, func(int64, time.Duration) nullserver.Answer { return nullserver.Answer{Takes: takes} })
	records, summary := offer(t, t.Context(), loadgen.Runner{Transport: tr, Closed: streams},
		loadgen.JourneySpec{Steps: []loadgen.Step{{Build: call, Judge: judge}}}, 1000, 400*time.Millisecond)
	if most := streams * 400 / 20; len(records) > most || len(records) < streams || summary.Sent != len(records) || summary.PeakInFlight != streams {
		t.Errorf("%d records of at most %d, %+v", len(records), most, summary)
	}
	type edge struct {
		at    int64
		delta int
	}
	var edges []edge
	for _, r := range records {
		if r.Outcome != loadgen.OK {
			t.Fatalf("%+v", r)
		}
		edges = append(edges, edge{r.SentNs, 1}, edge{r.DoneNs, -1})
	}
	slices.SortFunc(edges, func(a, b edge) int {
		if a.at != b.at {
			return int(a.at - b.at)
		}
		return a.delta - b.delta
	})
	under := 0
	for _, e := range edges {
		if under += e.delta; under > streams {
			t.Fatalf("%d under way", under)
		}
	}
}
