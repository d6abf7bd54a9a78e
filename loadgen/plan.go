package loadgen

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
)

// Customer is what a client knows of itself. Index i in a plan enters the bank
// at zone i mod 3.
type Customer struct {
	ID            string // as the app and staff know it
	Account       string // the current account
	CardNumber    string // of the current account
	PrepaidNumber string // of the prepaid card
}

// The loads of a run. Each has its own acquirer, so that no key of one is ever
// a key of another.
const (
	LoadMain   = "main"
	LoadWarmup = "warmup"
)

// loads is the table of loads; the index is part of the keys, so only append.
var loads = []string{LoadMain, LoadWarmup}

// maxArrivals bounds a schedule: at 24 bytes each, some 500 MB.
const maxArrivals = 20_000_000

// Plan is what a schedule is drawn from.
type Plan struct {
	Seed uint64
	// Load is LoadMain (also when empty) or LoadWarmup.
	Load string
	// Pacer says when.
	Pacer Pacer
	// Duration is how long; arrivals lie in [0, Duration).
	Duration time.Duration
	// Mix says what; the zero Mix is DefaultMix.
	Mix Mix
	// Customers says who; all are equally likely.
	Customers []Customer
}

// check says what is wrong with a plan.
func (p *Plan) check() error {
	switch {
	case p.Pacer == nil:
		return errors.New("the plan has no pacer")
	case p.Duration <= 0:
		return fmt.Errorf("a duration of %v holds no arrival", p.Duration)
	case len(p.Customers) == 0:
		return errors.New("the plan has no customers")
	case !slices.Contains(loads, p.Load):
		return fmt.Errorf("no load %q; the loads are %s", p.Load, strings.Join(loads, ", "))
	}
	for j, weight := range p.Mix {
		if weight < 0 {
			return fmt.Errorf("the mix gives %v a weight of %d", Journey(j), weight)
		}
	}
	for i := range p.Customers {
		if id := p.Customers[i].ID; strings.ContainsFunc(id, needsEscape) {
			return fmt.Errorf("customer %d has the id %q, which JSON would have to escape", i, id)
		}
	}
	if v, ok := p.Pacer.(Validator); ok {
		return v.Validate()
	}
	return nil
}

// needsEscape says whether JSON has a character escaped in a string; requests
// are written by hand.
func needsEscape(r rune) bool { return r < ' ' || r == '"' || r == '\\' }

// Draw draws the schedule of a plan: a pure function of it.
func Draw(p Plan) (*Schedule, error) { return draw(p, maxArrivals) }

func draw(p Plan, limit int) (*Schedule, error) {
	if p.Load == "" {
		p.Load = LoadMain
	}
	if p.Mix == (Mix{}) {
		p.Mix = DefaultMix()
	}
	if err := p.check(); err != nil {
		return nil, fmt.Errorf("draw schedule: %w", err)
	}
	s := &Schedule{Load: p.Load, Duration: p.Duration, Customers: p.Customers}
	draws := newDraws(&p)
	at := time.Duration(0)
	for {
		at = p.Pacer.Next(at, draws.times.exponential)
		if at >= p.Duration {
			break
		}
		if len(s.Arrivals) == limit {
			return nil, fmt.Errorf("draw schedule: more than %d arrivals in %v", limit, p.Duration)
		}
		s.Arrivals = append(s.Arrivals, draws.arrival(at))
		s.PeakPerS = max(s.PeakPerS, p.Pacer.Rate(at))
	}
	return s, nil
}

// draws holds a stream a purpose. Each arrival takes from all of them, whatever
// its journey, so that another mix changes the journeys and nothing else.
type draws struct {
	times, journeys, customers, amounts, counterparties stream

	mix         Mix
	mixSum      uint64
	customerSet uint64
}

func newDraws(p *Plan) *draws {
	of := func(purpose string) stream { return newStream(p.Seed, p.Load, purpose) }
	d := &draws{
		times: of("times"), journeys: of("journeys"), customers: of("customers"),
		amounts: of("amounts"), counterparties: of("counterparties"),
		mix: p.Mix, customerSet: uint64(len(p.Customers)),
	}
	for _, weight := range p.Mix {
		d.mixSum += uint64(weight)
	}
	return d
}

func (d *draws) arrival(at time.Duration) Arrival {
	a := Arrival{
		At:           at,
		Customer:     int32(d.customers.below(d.customerSet)),
		Counterparty: uint16(d.counterparties.below(counterparties)),
	}
	amount := amountMinor(d.amounts)
	pick := d.journeys.below(d.mixSum)
	for j, weight := range d.mix {
		if pick < uint64(weight) {
			a.Journey = Journey(j)
			break
		}
		pick -= uint64(weight)
	}
	if Journeys[a.Journey].Write {
		a.AmountMinor = int32(amount)
	}
	return a
}
