package loadgen

import (
	"context"
	"errors"
	"fmt"
	"math"
	"time"

	"breakbank/bench/machine"
	"breakbank/bench/peers/process"
	"breakbank/loadgen/nullserver"
)

// sample is what one block measured of one cell.
type sample struct {
	cell  cell
	block int

	// Of Saturation and Schedule: what the server counted in the window.
	window time.Duration
	calls  int64
	// Processor time used in the window, of a Truth in the whole of its load: by
	// the generator, by the server, by this process.
	generator, server, own time.Duration
	// machine is what its cores did meanwhile, others included.
	machine machine.Time
	// told is what the generator reports, nil where it was not asked.
	told *Told
	// truth is what it should have reported, nil but of a Truth.
	truth *truthOf
}

// cell is a case put to a generator: a key.
type cell struct{ of, generator string }

func (c cell) String() string { return c.generator + ", " + c.of }

// ratePerS is how many requests came a second.
func (s *sample) ratePerS() float64 { return float64(s.calls) / s.window.Seconds() }

// cpuUs is the generator's processor time a request.
func (s *sample) cpuUs() float64 { return microsecondsEach(s.generator, s.calls) }

func microsecondsEach(used time.Duration, requests int64) float64 {
	return float64(used) / float64(time.Microsecond) / float64(requests)
}

const (
	// settleShare of a window is loaded before it: connections are made, windows
	// open, a garbage collector finds its pace; but no less than settleMin.
	settleShare = 3
	settleMin   = 200 * time.Millisecond
	// tailTime is how much longer than its window a load lasts, so that the
	// window's end is read while it does, however late.
	tailTime = 300 * time.Millisecond
)

// meter holds the readings at the edges of a window.
type meter struct {
	generator, server, own process.Reading
	calls                  int64
	machine                machine.Time
	at                     time.Time
}

func read(ctx context.Context, child *process.Child, s *server) (meter, error) {
	var m meter
	var errs [4]error
	m.machine = machine.Now()
	m.calls, errs[0] = callsSoFar(ctx, s.tell)
	m.generator, errs[1] = process.Read(child)
	m.at = time.Now()
	m.server, errs[2] = process.Read(s.child)
	m.own, errs[3] = process.Self()
	return m, errors.Join(errs[:]...)
}

// maxAtSaturation caps what our open loop has under way where it is asked for
// about as much as it can do: beyond that, what is too much is dropped, and says
// so, instead of piling up. It is half of the streams that the null server allows
// on a connection.
const maxAtSaturation = 10_000

// cost puts a case without a truth to a generator and measures a window of it.
// ratePerS is 0 for as many as go through.
func (b *bed) cost(ctx context.Context, s *server, of Case, g Generator, ratePerS float64, window time.Duration, seed uint64) (_ sample, err error) {
	settle := max(settleMin, window/settleShare)
	j := job{
		connections: of.Connections, streams: of.Streams, ratePerS: ratePerS, seed: seed,
		lasts: settle + window + tailTime,
	}
	if ratePerS == 0 {
		j.lasts += endLimit // It is stopped when it has been measured.
	} else if of.Kind == Saturation {
		j.maxInFlight = maxAtSaturation
	}
	fail := func(err error) (sample, error) {
		return sample{}, fmt.Errorf("measure %s: %w", cell{of.Name, g.Name}, err)
	}
	child, err := b.start(ctx, g, &j, s)
	if err != nil {
		return fail(err)
	}
	defer func() {
		child.Kill()
		err = errors.Join(err, s.awaitQuiet(ctx))
	}()
	if err := pause(ctx, settle); err != nil {
		return fail(err)
	}
	opened, err := read(ctx, child, s)
	if err != nil {
		return fail(err)
	}
	if err := pause(ctx, window); err != nil {
		return fail(err)
	}
	over, err := read(ctx, child, s)
	if err != nil {
		return fail(err)
	}
	out := sample{
		cell: cell{of.Name, g.Name}, window: over.at.Sub(opened.at), calls: over.calls - opened.calls,
		machine: over.machine.Minus(opened.machine),
	}
	if out.calls <= 0 {
		return fail(errors.New("no request came in the whole window"))
	}
	for _, part := range []struct {
		used        *time.Duration
		before, now process.Reading
	}{{&out.generator, opened.generator, over.generator}, {&out.server, opened.server, over.server}, {&out.own, opened.own, over.own}} {
		if *part.used, err = part.now.Since(part.before); err != nil {
			return fail(err)
		}
	}
	if ratePerS == 0 || g.reportCosts {
		return out, nil
	}
	if out.told, err = b.report(ctx, child, g, j); err != nil {
		return fail(err)
	}
	return out, nil
}

// report waits for a generator to end and reads what it reports.
func (b *bed) report(ctx context.Context, child *process.Child, g Generator, j job) (*Told, error) {
	ctx, cancel := context.WithTimeoutCause(ctx, j.lasts+endLimit, fmt.Errorf("it did not end within %v of the end of its load", endLimit))
	defer cancel()
	if err := child.Wait(ctx); err != nil {
		return nil, err
	}
	return g.told(j)
}

// truthOf is the truth about one load.
type truthOf struct {
	// scheduled requests would have had these quantiles; decided are those that a
	// generator is held to, and served are what the server measured itself.
	scheduled int
	latency   Latency
	decided   []string
	served    Latency
	// failures is the share of them that fail.
	failures float64
	fails    bool
}

// truth puts a case with a truth to a generator, against a server of its own.
func (b *bed) truth(ctx context.Context, of Case, g Generator, seed uint64) (sample, error) {
	fail := func(err error) (sample, error) {
		return sample{}, fmt.Errorf("measure %s: %w", cell{of.Name, g.Name}, err)
	}
	machineBefore := machine.Now()
	ownBefore, err := process.Self()
	if err != nil {
		return fail(err)
	}
	s, err := b.serve(ctx, of.Behaviour)
	if err != nil {
		return fail(err)
	}
	defer s.child.Kill()
	j := job{
		connections: of.Connections, streams: of.Streams, ratePerS: of.RatePerS, even: true,
		lasts: of.lasts(), seed: seed, observe: true,
	}
	child, err := b.start(ctx, g, &j, s)
	if err != nil {
		return fail(err)
	}
	defer child.Kill()
	out := sample{cell: cell{of.Name, g.Name}}
	if out.told, err = b.report(ctx, child, g, j); err != nil {
		return fail(err)
	}
	if out.truth, err = truthFor(of, j, out.told, s.since); err != nil {
		return fail(err)
	}
	if out.truth.served, err = servedSoFar(ctx, s.tell); err != nil {
		return fail(err)
	}
	s.child.Kill()
	out.generator, out.server = child.Used(), s.child.Used()
	own, err := process.Self()
	if err == nil {
		out.own, err = own.Since(ownBefore)
	}
	if err != nil {
		return fail(err)
	}
	out.machine = machine.Now().Minus(machineBefore)
	return out, nil
}

// truthFor computes what a generator should find that did a job against a server
// whose clock began at since. All generators space their requests evenly.
func truthFor(of Case, j job, told *Told, since time.Time) (*truthOf, error) {
	behaviour, err := of.behaviour()
	if err != nil {
		return nil, err
	}
	s, err := Offer{RatePerS: j.ratePerS, Even: true, Duration: j.lasts, Seed: j.seed}.schedule()
	if err != nil {
		return nil, err
	}
	arrivals := make([]time.Duration, len(s.Arrivals))
	for i := range arrivals {
		arrivals[i] = s.Arrivals[i].At
	}
	start := time.Unix(0, told.StartedNs).Sub(since)
	times := nullserver.Times(behaviour.Truth(arrivals, start))
	out := &truthOf{scheduled: len(arrivals), latency: ofTimes(times), fails: of.Fails}
	for _, q := range quantiles {
		if times.Decides(q.q) {
			out.decided = append(out.decided, q.name)
		}
	}
	if of.Fails && told.Calls > 0 {
		// Which fail goes by their numbers: of as many as were made.
		answers := behaviour.Truth(make([]time.Duration, told.Calls), start)
		out.failures = float64(nullserver.Failures(answers)) / float64(told.Calls)
	}
	return out, nil
}

// off is by how much, as a share of the truth, what is reported is wrong: the
// worst of the quantiles that are decided, or the share of failures. It is false
// if one of them is not reported.
func (t *truthOf) off(told *Told) (worst float64, ok bool) {
	if t.fails {
		if told.Calls == 0 || t.failures == 0 {
			return 0, false
		}
		return math.Abs(float64(told.Failed)/float64(told.Calls)-t.failures) / t.failures, true
	}
	for _, name := range t.decided {
		reported, there := told.LatencyMs[name]
		if !there {
			return 0, false
		}
		worst = max(worst, math.Abs(reported-t.latency[name])/t.latency[name])
	}
	return worst, len(t.decided) > 0
}
