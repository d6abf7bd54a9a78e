package load

import (
	"context"
	"errors"
	"fmt"
	"math"
	"sync"
	"time"

	"breakbank/bench/machine"
	"breakbank/loadgen"
	"breakbank/loadgen/evidence"
	"breakbank/loadgen/recording"
	"breakbank/loadgen/transport"
)

const (
	// settleMax bounds the making of connections.
	settleMax = 10 * time.Second
	// startLead is the time from the decision to begin to the first second.
	startLead = 50 * time.Millisecond
	// stopGrace is how long requests in flight may go on once a load is stopped.
	stopGrace = 2 * time.Second
	// capS gives the cap on requests in flight where none was asked for: rate × 15 s
	// × 1.2 (measurement.md).
	capFactor = 1.2
	capS      = 15 * capFactor
	// tickEach is how often the observer is told.
	tickEach = time.Second
)

// play is one process's share of a load, ready to begin.
type play struct {
	assembly  *assembly
	transport transport.Transport
	main      *phase
	warmUp    *phase // nil without
	runID     string
}

// newPlay draws the schedules.
func newPlay(s Spec, runID string, part, parts int) (*play, error) {
	a, err := assemble(s, part)
	if err != nil {
		return nil, err
	}
	p := &play{assembly: a, runID: runID}
	if p.main, err = a.newPhase(PhaseMain, loadgen.LoadMain, s.Duration, part, parts); err != nil {
		return nil, err
	}
	if len(p.main.schedule.Arrivals) == 0 {
		return nil, fmt.Errorf("the schedule is empty: at that rate nothing is due within %v; raise the rate or the duration", s.Duration)
	}
	if s.WarmUp > 0 {
		if p.warmUp, err = a.newPhase(PhaseWarmUp, loadWarmUp, s.WarmUp, part, parts); err != nil {
			return nil, err
		}
		p.main.schedule.GoesOnAfter(p.warmUp.schedule, s.Closed > 0)
	}
	return p, nil
}

// connect makes the connections. The caller closes.
func (p *play) connect(ctx context.Context) error {
	t, err := transport.New(p.assembly.spec.transportName(), p.assembly.config)
	if err != nil {
		return Misuse{err}
	}
	p.transport = t
	settling, cancel := context.WithTimeout(ctx, settleMax)
	defer cancel()
	err = t.Settle(settling)
	if ctx.Err() != nil {
		return errInterrupted
	}
	return err
}

func (p *play) close() {
	if p.transport != nil {
		p.transport.Close()
	}
}

// lead is how long the warm-up takes.
func (p *play) lead() time.Duration {
	if p.warmUp == nil {
		return 0
	}
	return p.warmUp.schedule.Duration
}

// measured is what one process has to say of its share.
type measured struct {
	main, warmUp *recording.Snapshot // warmUp is nil without one
	facts        evidence.LoadFacts
	cpuS         float64
	// lasted is for how long requests were due.
	lasted time.Duration
	// began is when the phase that counts did.
	began time.Time
}

// run offers the load: the warm-up from start on, then what counts. look is
// called about every so often with a frame, by one goroutine.
func (p *play) run(ctx context.Context, start time.Time, each time.Duration, look func(frame)) (*measured, error) {
	mainStart := start.Add(p.lead())
	var warm sync.WaitGroup
	var warmErr error
	if p.warmUp != nil {
		warm.Go(func() { _, warmErr = p.offer(ctx, p.warmUp, start) })
	}
	over := make(chan struct{})
	var watching sync.WaitGroup
	watching.Go(func() { p.watch(start, mainStart, each, look, over) })
	m, err := p.measure(ctx, mainStart)
	warm.Wait()
	close(over)
	watching.Wait()
	if err = errors.Join(err, warmErr); err != nil {
		return nil, err
	}
	if p.warmUp != nil {
		m.warmUp = p.warmUp.recorder.Snapshot()
	}
	return m, nil
}

// measure offers the phase that counts, and watches this process meanwhile.
func (p *play) measure(ctx context.Context, start time.Time) (*measured, error) {
	if !waitUntil(ctx, start.Add(-startLead)) {
		return nil, errInterrupted
	}
	before := machine.Now()
	others := evidence.WatchOthers()
	watch, err := evidence.WatchSelf()
	if err != nil {
		return nil, err
	}
	stopped := make(chan time.Time, 1)
	heard := context.AfterFunc(ctx, func() { stopped <- time.Now() })
	defer heard()
	summary, err := p.offer(ctx, p.main, start)
	self, watchErr := watch.Stop()
	if err = errors.Join(err, watchErr); err != nil {
		return nil, err
	}
	m := &measured{main: p.main.recorder.Snapshot(), began: start, cpuS: self.CPUS, lasted: p.main.schedule.Duration}
	if summary.Interrupted {
		m.lasted = min(m.lasted, (<-stopped).Sub(start))
	}
	t := m.main.Totals(int64(summary.Scheduled), m.lasted)
	m.facts = evidence.GatherLoad(p.main.schedule, p.testedPacer(), summary, self, t.SendDelayMs.P99)
	m.facts.Closed = p.main.closed > 0
	m.facts.Steal = machine.Now().Minus(before).Steal()
	m.facts.TellOthers(others.Stop(ctx, p.addresses()))
	m.facts.Account(ended(t))
	return m, nil
}

// addresses are all that the load goes to.
func (p *play) addresses() (all []string) {
	for _, target := range p.assembly.config.Targets {
		all = append(all, target.Addresses...)
	}
	return all
}

// testedPacer is the pacer whose law the schedule is held against; a closed loop
// has none.
func (p *play) testedPacer() loadgen.Pacer {
	if p.main.closed > 0 {
		return nil
	}
	return p.main.pacer
}

// offer performs a phase.
func (p *play) offer(ctx context.Context, ph *phase, start time.Time) (loadgen.Summary, error) {
	// Drawn as it was, but under a name of this run, which is in the keys of the
	// bank's payments.
	schedule := *ph.schedule
	if p.runID != "" {
		schedule.Load += " " + p.runID
	}
	limit := p.assembly.spec.MaxInFlight
	if limit == 0 {
		limit = int(math.Ceil(schedule.PeakPerS * p.assembly.capS()))
	}
	runner := loadgen.Runner{
		Transport: p.transport, MaxInFlight: max(1, int(share64(limit, ph.part, ph.parts))),
		Grace: stopGrace, Closed: ph.closed, Part: ph.part, Parts: ph.parts,
	}
	return runner.Run(ctx, &schedule, start, ph.recorder)
}

// watch takes a look every so often, until over.
func (p *play) watch(start, mainStart time.Time, each time.Duration, look func(frame), over <-chan struct{}) {
	// So that looks fall on whole seconds of the load.
	begun := time.NewTimer(time.Until(start))
	defer begun.Stop()
	select {
	case <-over:
		return
	case <-begun.C:
	}
	ticks := time.NewTicker(each)
	defer ticks.Stop()
	for {
		select {
		case <-over:
			return
		case <-ticks.C:
		}
		// The look that falls on the end of the warm-up is its last.
		if now := time.Now(); now.Before(mainStart.Add(each/2)) && p.warmUp != nil {
			look(p.warmUp.look(now.Sub(start)))
		} else {
			look(p.main.look(now.Sub(mainStart)))
		}
	}
}

// waitUntil waits; false when ctx ended first.
func waitUntil(ctx context.Context, t time.Time) bool {
	timer := time.NewTimer(time.Until(t))
	defer timer.Stop()
	select {
	case <-timer.C:
		return ctx.Err() == nil
	case <-ctx.Done():
		return false
	}
}
