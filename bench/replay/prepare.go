package replay

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"math"
	"time"

	"breakbank/bench/arm"
	"breakbank/bench/scenario"
	"breakbank/loadgen"
	"breakbank/loadgen/customers"
	"breakbank/loadgen/pacer"
)

// Options say what to play.
type Options struct {
	Scenario *scenario.Scenario
	Arm      *arm.Arm
	// Pace and RatePerS are the scenario's own, unless the user says otherwise.
	Pace     float64
	RatePerS float64
	Seed     uint64
	// Customers is the model of who makes the load, CustomersEven if empty.
	Customers string
	// Without names steps and mechanisms to leave out.
	Without []string

	// RunID names the run, and Dir is where its files go, made if need be.
	RunID string
	Dir   string
	// Topology and Flags are for the record.
	Topology string
	Flags    []string

	// Observer, Audit and Report may be nil; without an audit a result is
	// INVALID.
	Observer Observer
	Audit    Auditor
	Report   Reporter
	// Offer is loadgen's unless a test puts another in its place.
	Offer Offer
}

// Bounds of the drawn loads.
const (
	// warmupPerS is the load under which the registry grows (incident.md).
	warmupPerS = 100
	// warmupMax is how long the steps before the clock may take under load.
	warmupMax = 3 * time.Minute
	// lateMax is by how much the script may run behind its time before it runs
	// out of drawn load.
	lateMax = time.Minute
	// rateMax bounds the rate, far above what one generator can send.
	rateMax = 100_000
)

var warmupPacer = pacer.Poisson{PerS: warmupPerS}

// Run is a replay that was found playable and whose load is drawn. It may be
// played once.
type Run struct {
	opts    Options
	plan    *scenario.Plan
	clients clientele
	// warmup and full are drawn, and offered in this order.
	warmup, full *loadgen.Schedule
	sha          string
}

// Prepare checks the options and draws both loads, before anything starts. The
// same seed, rate, pace and script give the same load, whatever the arm.
func Prepare(opts Options) (*Run, error) {
	if !(opts.RatePerS > 0) || opts.RatePerS > rateMax || math.IsNaN(opts.RatePerS) {
		return nil, fmt.Errorf("rate %g: a rate is journeys a second, more than 0, at most %d", opts.RatePerS, rateMax)
	}
	if opts.Offer == nil {
		opts.Offer = offer
	}
	plan, err := opts.Scenario.Plan(opts.Pace, opts.Without)
	if err != nil {
		return nil, err
	}
	r := &Run{opts: opts, plan: plan}
	if r.clients, err = clienteleOf(opts.Customers, opts.RatePerS, plan); err != nil {
		return nil, err
	}
	if r.warmup, err = loadgen.Draw(loadgen.Plan{
		Seed: opts.Seed, Load: customers.LoadWarmup, Pacer: warmupPacer,
		Duration: warmupMax, Journeys: r.clients.journeys, Population: r.clients.population,
	}); err != nil {
		return nil, fmt.Errorf("drawing the warm-up load: %w", err)
	}
	if r.full, err = loadgen.Draw(loadgen.Plan{
		Seed: opts.Seed, Load: loadgen.LoadMain, Pacer: r.clients.pacer,
		Duration: plan.MainMax() + lateMax, Journeys: r.clients.journeys, Population: r.clients.population,
	}); err != nil {
		return nil, fmt.Errorf("drawing the main load: %w", err)
	}
	both := sha256.Sum256([]byte(r.warmup.SHA256() + r.full.SHA256()))
	r.sha = hex.EncodeToString(both[:])
	return r, nil
}

// ScheduleSHA256 is the hash of both loads.
func (r *Run) ScheduleSHA256() string { return r.sha }

// Plan is the script on the real clock.
func (r *Run) Plan() *scenario.Plan { return r.plan }
