package replay

import (
	"context"
	"time"

	"breakbank/bench/result"
	"breakbank/loadgen"
	"breakbank/loadgen/customers"
	"breakbank/loadgen/recording"
)

// event puts an entry into the timeline, at the time that it is now, and tells
// the observer.
func (p *play) event(e result.Event) {
	now := time.Now()
	e.TS = max(p.clock.seconds(now), 0)
	e.Clock, e.PacedMin = p.clock.show(now)
	p.mu.Lock()
	defer p.mu.Unlock()
	p.timeline = append(p.timeline, e)
	p.telling.news(func(o Observer) { o.Event(e) })
}

func (p *play) setPhase(name string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.phase = name
}

// tick notes the routers' states at the end of each second, and tells the
// observer of the second, until ctx ends.
func (p *play) tick(ctx context.Context) {
	for second := 0; ; second++ {
		pause(ctx, time.Until(p.clock.zero.Add(time.Duration(second+1)*time.Second)))
		if ctx.Err() != nil {
			return
		}
		points := p.states.points()
		s := result.Second{TS: float64(second), Journeys: decided(p.recorder.Series(second)), Routers: points}
		s.Clock, _ = p.clock.show(time.Now())
		p.mu.Lock()
		s.Phase = p.phase
		p.routers[second] = points
		p.telling.news(func(o Observer) { o.Second(s) })
		p.mu.Unlock()
	}
}

// decided turns the first of the seconds into counts by journey; there is none
// when nothing was recorded in it.
func decided(seconds []recording.Second) map[string]result.Journey {
	journeys := make(map[string]result.Journey, customers.JourneyCount)
	for i, spec := range customers.Journeys {
		var counts result.Counts
		if len(seconds) > 0 {
			of := seconds[0].Outcomes[i]
			counts = result.Counts{
				Offered: seconds[0].Decided(loadgen.Journey(i)),
				OK:      of[loadgen.OK], Degraded: of[loadgen.Degraded], Declined: of[loadgen.Declined],
				Failed: of[loadgen.Failed], Unknown: of[loadgen.Unknown],
			}
		}
		journeys[spec.Name] = result.Journey{Counts: counts}
	}
	return journeys
}
