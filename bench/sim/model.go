package sim

import (
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"time"

	"breakbank/platform/router/balance"
)

// Bounds of a model. They keep a run in memory, and its end in sight.
const (
	EndpointsMax = 20_000
	RoutersMax   = 1000
	// PairsMax bounds routers × endpoints: what a strategy keeps of an endpoint
	// is some hundred bytes.
	PairsMax   = 500_000
	WorkersMax = 64
	// RequestsMax bounds the arrivals of one run.
	RequestsMax = 20_000_000

	serviceMeanMin = 100 * time.Microsecond
	serviceMeanMax = 10 * time.Second
	patienceMax    = time.Hour
)

// Model is a service and its callers; scenarios do things to it.
type Model struct {
	// Endpoints is how many instances there are, Routers how many callers
	// share the arrivals.
	Endpoints, Routers int
	// Workers is how many requests an instance serves at once (fifo), or how
	// many cores its requests share (ps).
	Workers int
	// ServiceMean is what a request takes a worker of an ordinary instance, on
	// average; Service how that varies.
	ServiceMean time.Duration
	Service     string
	// Queue is the instances' discipline, a name of Disciplines.
	Queue string
	// RatePerS is arrivals a second, of the whole service.
	RatePerS float64
	// Patience is after what time a caller gives up.
	Patience time.Duration
	// Ejection is the outlier ejection of every router; nil is off.
	Ejection *balance.EjectionConfig
}

// Utilization is the share of the service's capacity that the arrivals take.
func (m Model) Utilization() float64 { return m.RatePerS / m.CapacityPerS() }

// CapacityPerS is how many requests a second the service can serve.
func (m Model) CapacityPerS() float64 {
	return float64(m.Endpoints*m.Workers) / m.ServiceMean.Seconds()
}

// Check says what is wrong with a model, and what would be right.
func (m Model) Check() error {
	var errs []error
	within := func(what string, value, least, most int) {
		if value < least || value > most {
			errs = append(errs, fmt.Errorf("%s %d: it can be %d to %d", what, value, least, most))
		}
	}
	within("endpoints", m.Endpoints, 1, EndpointsMax)
	within("routers", m.Routers, 1, RoutersMax)
	within("workers", m.Workers, 1, WorkersMax)
	if len(errs) == 0 && m.Endpoints*m.Routers > PairsMax {
		errs = append(errs, fmt.Errorf("%d routers × %d endpoints: their product can be at most %d", m.Routers, m.Endpoints, PairsMax))
	}
	if m.ServiceMean < serviceMeanMin || m.ServiceMean > serviceMeanMax {
		errs = append(errs, fmt.Errorf("service time %v: it can be %v to %v", m.ServiceMean, serviceMeanMin, serviceMeanMax))
	}
	if _, ok := named(Distributions, m.Service); !ok {
		errs = append(errs, fmt.Errorf("service times %q are not one of %v", m.Service, names(Distributions)))
	}
	if _, ok := named(Disciplines, m.Queue); !ok {
		errs = append(errs, fmt.Errorf("queue %q is not one of %v", m.Queue, names(Disciplines)))
	}
	if m.Patience <= m.ServiceMean || m.Patience > patienceMax {
		errs = append(errs, fmt.Errorf("patience %v: it must be more than the service time, and at most %v", m.Patience, patienceMax))
	}
	if most := math.Floor(RequestsMax / length.Seconds()); len(errs) == 0 && !(m.RatePerS > 0 && m.RatePerS <= most) {
		errs = append(errs, fmt.Errorf("rate %g: it must be more than 0 and at most %.0f a second", m.RatePerS, most))
	}
	return errors.Join(errs...)
}

// Distribution is how service times vary about their mean.
type Distribution struct {
	Name, About string
	// draw returns a service time in multiples of the mean.
	draw func(rng *rand.Rand) float64
}

// lognormalSigma gives a squared coefficient of variation of e^σ² − 1 = 1.7,
// and a 99th percentile of 6.2 times the mean. (Ours.)
const lognormalSigma = 1.0

// Distributions is every one there is.
var Distributions = []Distribution{
	{"exponential", "the textbook's, memoryless", func(rng *rand.Rand) float64 { return rng.ExpFloat64() }},
	{"constant", "all alike", func(*rand.Rand) float64 { return 1 }},
	{"lognormal", "many short, few very long", func(rng *rand.Rand) float64 {
		return math.Exp(lognormalSigma*rng.NormFloat64() - lognormalSigma*lognormalSigma/2)
	}},
}

// DistributionNames lists them in table order.
func DistributionNames() []string { return names(Distributions) }

func (d Distribution) name() string { return d.Name }

// Discipline is how an instance serves what waits there.
type Discipline struct {
	Name, About string
	open        func(workers int, took func(now, work time.Duration) time.Duration) station
}

// Disciplines is every one there is.
var Disciplines = []Discipline{
	{"fifo", "first come first served, a request a worker", newFIFO},
	{"ps", "all at once, sharing the cores evenly", newSharing},
}

// DisciplineNames lists them in table order.
func DisciplineNames() []string { return names(Disciplines) }

func (d Discipline) name() string { return d.Name }

type line interface{ name() string }

// named finds a line of a table.
func named[L line](table []L, name string) (L, bool) {
	i := slices.IndexFunc(table, func(l L) bool { return l.name() == name })
	if i < 0 {
		var none L
		return none, false
	}
	return table[i], true
}

func names[L line](table []L) []string {
	list := make([]string, len(table))
	for i, l := range table {
		list[i] = l.name()
	}
	return list
}
