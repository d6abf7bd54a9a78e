package loadgen

import (
	"container/heap"
	"errors"
	"fmt"
	"time"

	"breakbank/loadgen/draw"
)

// LoadMain is what a load is called that has no other name.
const LoadMain = "main"

// maxArrivals bounds a schedule: at 24 bytes each, some 500 MB.
const maxArrivals = 20_000_000

// Plan is what a schedule is drawn from.
type Plan struct {
	Seed uint64
	// Load names it; empty is LoadMain. Loads of one seed draw differently.
	Load string
	// Pacer says when.
	Pacer Pacer
	// Duration is how long; arrivals lie in [0, Duration).
	Duration time.Duration
	// Journeys say what, by their weights.
	Journeys []JourneySpec
	// Population says who, and how much; nil is nobody in particular.
	Population Population
}

// Population is who makes the arrivals of a load.
type Population interface {
	// Check says what is wrong with it.
	Check() error
	// AppendIdentity appends to a schedule's canonical encoding whatever of the
	// population decides what is sent.
	AppendIdentity(buf []byte) []byte
	// Drawer starts to draw. of gives the stream of a purpose.
	Drawer(of func(purpose string) draw.Stream) Drawer
}

// Drawer fills in the arrivals of one schedule, in order.
type Drawer interface {
	// Draw sets the customer, the amount and the counterparty of an arrival,
	// whose time and journey are set. It draws equally much for every journey,
	// so that another mix changes the journeys and nothing else.
	Draw(a *Arrival)
	// After lists arrivals that this one leads to, later than it; they lead to
	// nothing themselves. The slice is valid until the next call.
	After(a *Arrival) []Arrival
}

// check says what is wrong with a plan.
func (p *Plan) check() error {
	switch {
	case p.Pacer == nil:
		return errors.New("the plan has no pacer")
	case p.Duration <= 0:
		return fmt.Errorf("a duration of %v holds no arrival", p.Duration)
	}
	if err := checkJourneys(p.Journeys); err != nil {
		return err
	}
	if p.Population != nil {
		if err := p.Population.Check(); err != nil {
			return err
		}
	}
	if v, ok := p.Pacer.(Validator); ok {
		return v.Validate()
	}
	return nil
}

// Draw draws the schedule of a plan: a pure function of it.
func Draw(p Plan) (*Schedule, error) { return drawUpTo(p, maxArrivals) }

func drawUpTo(p Plan, limit int) (*Schedule, error) {
	if p.Load == "" {
		p.Load = LoadMain
	}
	if err := p.check(); err != nil {
		return nil, fmt.Errorf("draw schedule: %w", err)
	}
	s := &Schedule{Load: p.Load, Seed: p.Seed, Duration: p.Duration, Journeys: p.Journeys, Population: p.Population}
	s.Drawn = draw.New(p.Seed, p.Load, "values").Uint64()
	of := func(purpose string) draw.Stream { return draw.New(p.Seed, p.Load, purpose) }
	d := drawing{plan: &p, times: of("times"), journeys: of("journeys"), mixSum: weightOf(p.Journeys)}
	if p.Population != nil {
		d.drawer = p.Population.Drawer(of)
	}
	for {
		a, ok := d.next()
		if !ok {
			break
		}
		if len(s.Arrivals) == limit {
			return nil, fmt.Errorf("draw schedule: more than %d arrivals in %v", limit, p.Duration)
		}
		s.Arrivals = append(s.Arrivals, a)
		s.PeakPerS = max(s.PeakPerS, p.Pacer.Rate(a.At))
	}
	return s, nil
}

func weightOf(journeys []JourneySpec) (sum uint64) {
	for i := range journeys {
		sum += uint64(journeys[i].Weight)
	}
	return sum
}

// drawing is a schedule being drawn: a stream a purpose, and the arrivals to
// which others have led.
type drawing struct {
	plan            *Plan
	times, journeys draw.Stream
	mixSum          uint64
	drawer          Drawer
	at              time.Duration
	pending         *Arrival // drawn, but a follower comes first
	followers       followers
}

// next is the next arrival.
func (d *drawing) next() (Arrival, bool) {
	if d.pending == nil && d.at < d.plan.Duration {
		if d.at = d.plan.Pacer.Next(d.at, d.times.Exponential); d.at < d.plan.Duration {
			a := d.arrival()
			d.pending = &a
		}
	}
	if len(d.followers) > 0 && (d.pending == nil || d.followers[0].At < d.pending.At) {
		return heap.Pop(&d.followers).(Arrival), true
	}
	if d.pending == nil {
		return Arrival{}, false
	}
	a := *d.pending
	d.pending = nil
	if d.drawer != nil {
		for _, f := range d.drawer.After(&a) {
			if f.At < d.plan.Duration {
				f.Follows = true
				heap.Push(&d.followers, f)
			}
		}
	}
	return a, true
}

func (d *drawing) arrival() Arrival {
	a := Arrival{At: d.at}
	pick := d.journeys.Below(d.mixSum)
	for j := range d.plan.Journeys {
		weight := uint64(d.plan.Journeys[j].Weight)
		if pick < weight {
			a.Journey = Journey(j)
			break
		}
		pick -= weight
	}
	if d.drawer != nil {
		d.drawer.Draw(&a)
	}
	return a
}

// followers is a heap by time.
type followers []Arrival

func (f followers) Len() int           { return len(f) }
func (f followers) Less(i, j int) bool { return f[i].At < f[j].At }
func (f followers) Swap(i, j int)      { f[i], f[j] = f[j], f[i] }

// Push implements heap.Interface.
func (f *followers) Push(x any) { *f = append(*f, x.(Arrival)) }

// Pop implements heap.Interface.
func (f *followers) Pop() any {
	last := len(*f) - 1
	a := (*f)[last]
	*f = (*f)[:last]
	return a
}
