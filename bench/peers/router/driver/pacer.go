package driver

import (
	"context"
	"time"

	"breakbank/platform/wire"
)

// napMax is the longest nap: how late an end can be noticed.
const napMax = 5 * time.Millisecond

// pacer begins calls when they are due, whatever has become of those before. It
// has a goroutine of its own and never waits for a peer: a connection's writes
// do not wait (platform/wire).
type pacer struct {
	run      *run
	callers  []*caller
	measured Measured // of the goroutine until done is closed
	done     chan struct{}
}

func (p *pacer) pace(ctx context.Context) {
	defer close(p.done)
	var b wire.Batch
	next := 0
	for next < len(p.run.load.Arrivals) && ctx.Err() == nil && p.run.phase.Load() != over {
		now := time.Now()
		for ; next < len(p.run.load.Arrivals); next++ {
			intended := p.run.started.Add(p.run.load.Arrivals[next])
			if intended.After(now) {
				b.Flush()
				nap(min(time.Until(intended), napMax))
				break
			}
			p.begin(&b, next, intended)
		}
		b.Flush()
	}
	for ; next < len(p.run.load.Arrivals); next++ {
		p.skip(p.run.load.Arrivals[next])
	}
}

// begin sends one call, unless too many are under way.
func (p *pacer) begin(b *wire.Batch, number int, intended time.Time) {
	at := p.run.load.Arrivals[number]
	if p.run.inFlight.Load() >= inFlightMax {
		p.skip(at)
		return
	}
	sent := time.Now()
	if err := p.callers[number%len(p.callers)].begin(b, intended, sent); err != nil {
		p.skip(at)
		return
	}
	if p.run.load.counts(at) {
		p.measured.Due++
		record(p.measured.SendDelay, sent.Sub(intended))
	}
}

// skip counts a call that is not sent.
func (p *pacer) skip(at time.Duration) {
	if p.run.load.counts(at) {
		p.measured.Due++
		p.measured.Unsent++
	}
}

// counts says whether a call that is due then belongs to the window.
func (l Load) counts(at time.Duration) bool { return at >= l.Settle && at < l.Settle+l.Window }
