package load

import (
	"context"
	"runtime"
	"runtime/debug"
	"runtime/metrics"
	"time"
)

// Run offers a load and says what was measured; it resolves the spec first,
// where that has not been done. When ctx ends, no more is sent, what is in flight
// has a little time, and the result is Partial. An error means that there is no
// result: bad input (Misuse), a target that cannot be reached, or an end before
// the load began.
func Run(ctx context.Context, s Spec, o Options) (*Result, error) {
	if o.Observer == nil {
		o.Observer = nobody{}
	}
	s, err := Resolve(ctx, s)
	if err != nil {
		return nil, err
	}
	if o.Workers != nil {
		return runWorkers(ctx, s, o)
	}
	o.Observer.Progress("drawing the schedule")
	p, err := newPlay(s, o.RunID, 0, 1)
	if err != nil {
		return nil, Misuse{err}
	}
	defer p.close()
	o.Observer.Progress("connecting")
	if err := p.connect(ctx); err != nil {
		return nil, err
	}
	defer steadyHeap()()
	var beat pulse
	m, err := p.run(ctx, time.Now().Add(startLead), tickEach, func(f frame) { o.Observer.Tick(beat.tick(f)) })
	if err != nil {
		return nil, err
	}
	return conclude(ctx, p, o, m, nil, nil), nil
}

// heapSlack is how much garbage may gather before it is collected, whatever the
// schedule weighs: memory then stays flat, and a collection, which has no pointers
// to follow in a schedule, costs next to nothing.
const heapSlack = 16 << 20

// steadyHeap collects the garbage of getting ready, and has it collected from now
// on each time that heapSlack has gathered, until it is undone. It is about the
// whole process, which offers one load at a time.
func steadyHeap() (undo func()) {
	runtime.GC()
	live := []metrics.Sample{{Name: "/gc/heap/live:bytes"}}
	metrics.Read(live)
	if live[0].Value.Kind() != metrics.KindUint64 {
		return func() {}
	}
	before := debug.SetGCPercent(max(1, int(heapSlack*100/max(1, live[0].Value.Uint64()))))
	return func() { debug.SetGCPercent(before) }
}

// nobody is an Observer that looks away.
type nobody struct{}

func (nobody) Progress(string) {}
func (nobody) Tick(Tick)       {}
