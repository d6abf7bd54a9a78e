package evidence_test

import (
	"cmp"
	"context"
	"net"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"breakbank/loadgen"
	"breakbank/loadgen/evidence"
	"breakbank/loadgen/nullserver"
	"breakbank/loadgen/pacer"
	"breakbank/loadgen/transport"
)

// trial is a load over loopback on a null server, and what to spoil about it. The
// zero value of each field but PerS and Lasts spoils nothing. The exported ones
// can be told to another process.
type trial struct {
	PerS  float64
	Lasts time.Duration
	// JudgeBurns is how much processor time it takes to judge an answer.
	JudgeBurns time.Duration

	pacer       loadgen.Pacer // nil: Poisson at PerS
	server      nullserver.Behaviour
	unreachable bool   // there is no server
	elsewhere   string // the address of a server of another process; empty is one of this
	patience    time.Duration
	maxInFlight int
	build       func(seq int)
	transport   func(transport.Transport) transport.Transport
	sink        func(*loadgen.Record) (lost bool)
	stopAfter   int // records
}

// steadyWindow is short, so that a load of a second has enough of them.
const steadyWindow = 100 * time.Millisecond

// outcome is what is known after a trial.
type outcome struct {
	schedule *loadgen.Schedule
	summary  loadgen.Summary
	facts    evidence.LoadFacts
}

// reasons are those of the rules for shared cores.
func (o *outcome) reasons() []string { return evidence.SharedCores.Judge(o.facts) }

// run performs a trial and gathers the facts as a tool would.
func (tr trial) run() (*outcome, error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	address := cmp.Or(tr.elsewhere, listener.Addr().String())
	if tr.unreachable || tr.elsewhere != "" {
		listener.Close()
	} else {
		server := nullserver.Misbehave(listener, tr.server, time.Now())
		defer func() { _ = server.Close() }()
	}
	if tr.pacer == nil {
		tr.pacer = pacer.Poisson{PerS: tr.PerS}
	}
	if tr.patience == 0 {
		tr.patience = 2 * time.Second
	}
	schedule, err := loadgen.Draw(loadgen.Plan{
		Seed: 1, Pacer: tr.pacer, Duration: tr.Lasts, Journeys: []loadgen.JourneySpec{tr.journey()},
	})
	if err != nil {
		return nil, err
	}
	wire, err := transport.NewWire(transport.Config{Targets: []transport.Target{{
		Name: "null server", Addresses: []string{address}, Connections: 2,
	}}})
	if err != nil {
		return nil, err
	}
	defer wire.Close()
	ctx, stop := context.WithTimeout(context.Background(), 30*time.Second)
	defer stop()
	if err := wire.Settle(ctx); err != nil && !tr.unreachable {
		return nil, err
	}

	runner := loadgen.Runner{Transport: wire, MaxInFlight: tr.maxInFlight}
	if tr.transport != nil {
		runner.Transport = tr.transport(wire)
	}
	seen := &seen{lost: tr.sink, stopAfter: int64(tr.stopAfter), stop: stop, windows: make([][]float64, int(tr.Lasts/steadyWindow))}
	others := evidence.WatchOthers()
	watch, err := evidence.WatchSelf()
	if err != nil {
		return nil, err
	}
	summary, err := runner.Run(ctx, schedule, time.Now(), seen)
	self, errSelf := watch.Stop()
	if err != nil || errSelf != nil {
		return nil, err
	}
	facts := evidence.GatherLoad(schedule, tr.pacer, summary, self, delayP99(schedule, &summary))
	facts.TellOthers(others.Stop(ctx, []string{address}))
	facts.Account(seen.records.Load())
	facts.TestSteady(tr.pacer, seen.medians())
	return &outcome{schedule, summary, facts}, nil
}

// nothing is a call without content.
var nothing, nothingErr = transport.AppendMessage(nil, func(b []byte) ([]byte, error) { return b, nil })

func (tr trial) journey() loadgen.JourneySpec {
	head := &transport.Head{Path: "/null.Server/Call"}
	return loadgen.JourneySpec{
		Name: "call", Weight: 1, Patience: tr.patience,
		Steps: []loadgen.Step{{
			Build: func(v *loadgen.Visit, c *transport.Call) error {
				if tr.build != nil {
					tr.build(v.Seq)
				}
				c.Head, c.Request = head, nothing
				return nothingErr
			},
			Judge: func(*loadgen.Visit, *transport.Call) loadgen.Decision {
				burn(tr.JudgeBurns)
				return loadgen.Decision{Outcome: loadgen.OK}
			},
		}},
	}
}

// seen is the sink of a trial.
type seen struct {
	records   atomic.Int64
	lost      func(*loadgen.Record) bool
	stopAfter int64
	stop      func()

	mu      sync.Mutex
	windows [][]float64 // responses in milliseconds
}

// Record implements loadgen.Sink.
func (s *seen) Record(r *loadgen.Record) {
	if s.lost != nil && s.lost(r) {
		return
	}
	if s.records.Add(1) == s.stopAfter {
		s.stop()
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if w := r.IntendedNs / steadyWindow.Nanoseconds(); r.Sent() && w < int64(len(s.windows)) {
		s.windows[w] = append(s.windows[w], float64(r.DoneNs-r.IntendedNs)/1e6)
	}
}

func (s *seen) medians() (medians []float64) {
	for _, w := range s.windows {
		if slices.Sort(w); len(w) > 0 {
			medians = append(medians, w[len(w)/2])
		}
	}
	return medians
}

// delayP99 is what a recorder would say; nil for fewer than a hundred.
func delayP99(s *loadgen.Schedule, summary *loadgen.Summary) *float64 {
	intended, sent := evidence.SentTimes(s, summary, 0)
	if len(sent) < 100 {
		return nil
	}
	delays := make([]float64, len(sent))
	for i := range sent {
		delays[i] = float64(sent[i]-intended[i]) / 1e6
	}
	slices.Sort(delays)
	return &delays[len(delays)*99/100]
}

func mustRun(t *testing.T, tr trial) *outcome {
	t.Helper()
	o, err := tr.run()
	if err != nil {
		t.Fatal(err)
	}
	return o
}
