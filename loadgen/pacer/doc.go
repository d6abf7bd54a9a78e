// Package pacer is when the journeys of a load arrive: small values, each a law
// of arrivals, for loadgen.Plan. All of them are drawn from the seed before the
// run; none looks at a clock or at an answer.
//
// Poisson, Ramp, Step, Burst and Sine are Poisson processes, of a rate that
// stays or changes: customers who know nothing of each other. Each of these
// tells the integral of its rate (Expected), by which a drawn schedule can be
// tested. Constant and Trace leave nothing to chance, and have no law to test.
//
// Values are safe for concurrent use. Rates are per second.
package pacer
