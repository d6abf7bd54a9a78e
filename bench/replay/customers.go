package replay

import (
	"fmt"
	"math"
	"strings"

	"breakbank/bench/load"
	"breakbank/bench/scenario"
	"breakbank/loadgen"
	"breakbank/loadgen/customers"
	"breakbank/loadgen/pacer"
)

// The models of customers. Even is the one that results are compared by.
const (
	CustomersEven   = "even"
	CustomersPeople = "people"
)

// clientele is who makes the load of a run, and how.
type clientele struct {
	name       string
	journeys   []loadgen.JourneySpec
	population loadgen.Population
	// pacer is the main load's.
	pacer loadgen.Pacer
	// tries is how often one journey may be tried.
	tries int
	// maxInFlight caps the journeys in flight; 0 leaves it to the runner.
	maxInFlight int
}

// clienteles is the table of models.
var clienteles = []struct {
	name string
	make func(ratePerS float64, plan *scenario.Plan) clientele
}{
	{CustomersEven, even},
	{CustomersPeople, people},
}

// clienteleOf makes the customers of a model; no name is CustomersEven.
func clienteleOf(name string, ratePerS float64, plan *scenario.Plan) (clientele, error) {
	if name == "" {
		name = CustomersEven
	}
	names := make([]string, 0, len(clienteles))
	for _, model := range clienteles {
		if model.name == name {
			c := model.make(ratePerS, plan)
			c.name = name
			return c, nil
		}
		names = append(names, model.name)
	}
	return clientele{}, fmt.Errorf("no model of customers %q; the models are %s", name, strings.Join(names, ", "))
}

// even is everyone as often as everyone else, at one rate, once.
func even(ratePerS float64, _ *scenario.Plan) clientele {
	return clientele{
		journeys: customers.Table(), population: customers.Even{Customers: load.Everyone()},
		pacer: pacer.Poisson{PerS: ratePerS}, tries: 1,
	}
}

// peopleSessions is the weight of pay_session among people, taken from what
// transfers have in the default mix: some look before they pay.
const peopleSessions = 2

// people are busy and idle ones, who look when their phone buzzes, pay more at
// some hours than at others, and try again when it fails. At the operator's last
// step the bank writes to everyone.
func people(ratePerS float64, plan *scenario.Plan) clientele {
	mix := customers.DefaultMix()
	mix[customers.TransferOut] -= peopleSessions
	mix[customers.PaySession] += peopleSessions
	retries := customers.UsualRetries
	c := clientele{
		journeys:   customers.WithRetries(customers.WithMix(mix), retries),
		population: customers.Realistic(load.Everyone()).WithStorm(plan.LastDue()),
		pacer:      customers.DayFrom(ratePerS, plan.ClockStart, plan.Pace),
		tries:      1 + max(retries.Taps, retries.Resends),
	}
	// Who waits to try again counts as in flight.
	const headroom = 2 // for what follows from pushes, and the busiest hours
	c.maxInFlight = int(math.Ceil(ratePerS * retries.Lasts(c.journeys).Seconds() * headroom))
	return c
}
