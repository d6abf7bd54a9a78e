package sim

import (
	"math"
	"testing"
	"time"

	"gonum.org/v1/gonum/stat"

	"breakbank/platform/router/balance"
)

// long is a scenario in which nothing happens for long enough to measure
// means.
var long = Scenario{
	Name: "long", Length: 120 * time.Second, From: 20 * time.Second, To: 120 * time.Second,
	arrange: func(w *world) { w.watch(w.anyOne(), len(w.instances)) },
}

const truthSeeds = 8

// meanLatency is the mean over seeds, in service times, and its standard error.
func meanLatency(t *testing.T, m Model, strategy string) (mean, stderr float64) {
	t.Helper()
	var means []float64
	for seed := range uint64(truthSeeds) {
		o := play(t, m, long, strategy, seed)
		var sum time.Duration
		n := 0
		for i := int(long.From / BucketLength); i < len(o.Buckets); i++ {
			sum += o.Buckets[i].LatencySum
			n += o.Buckets[i].Arrived
		}
		means = append(means, float64(sum)/float64(n)/float64(m.ServiceMean))
	}
	mean, deviation := stat.MeanStdDev(means, nil)
	return mean, deviation / math.Sqrt(truthSeeds)
}

// TestQueueingTruths holds instances against textbooks. Random choices split a
// Poisson process into Poisson processes, so each instance is a queue alone.
//
// The mean over 8 seeds may be 4.5 standard errors away from the truth: beyond
// that is 0.3 % of Student's distribution with 7 degrees of freedom. The
// standard error itself must be below 2 %, or the test could not fail.
func TestQueueingTruths(t *testing.T) {
	const rho = 0.7
	for _, c := range []struct {
		name, queue, service string
		workers              int
		want                 float64 // mean response in service times
	}{
		{"M/M/1", "fifo", "exponential", 1, 1 / (1 - rho)},
		{"M/M/4", "fifo", "exponential", 4, 1 + erlangC(4, 4*rho)/(4*(1-rho))},
		// Pollaczek and Khinchine: waiting is ρ/(1−ρ) · (1+C²)/2, C² being the
		// squared coefficient of variation of service.
		{"M/D/1", "fifo", "constant", 1, 1 + rho/(1-rho)/2},
		{"M/G/1", "fifo", "lognormal", 1, 1 + rho/(1-rho)*math.Exp(lognormalSigma*lognormalSigma)/2},
		// Processor sharing does not care how service times vary.
		{"M/M/1-PS", "ps", "exponential", 1, 1 / (1 - rho)},
		{"M/D/1-PS", "ps", "constant", 1, 1 / (1 - rho)},
		{"M/G/1-PS", "ps", "lognormal", 1, 1 / (1 - rho)},
	} {
		t.Run(c.name, func(t *testing.T) {
			m := Model{
				Endpoints: 80, Routers: 1, Workers: c.workers, ServiceMean: 100 * time.Millisecond,
				Service: c.service, Queue: c.queue, Patience: patienceMax,
			}
			m.RatePerS = rho * m.CapacityPerS()
			if c.workers > 1 { // as many requests
				m.Endpoints /= c.workers
				m.RatePerS /= float64(c.workers)
			}
			got, stderr := meanLatency(t, m, "random")
			if math.Abs(got-c.want) > 4.5*stderr {
				t.Errorf("mean response of %.3f ± %.3f service times, want %.3f", got, stderr, c.want)
			}
			if stderr > 0.02*c.want {
				t.Errorf("a standard error of %.3f proves nothing", stderr)
			}
		})
	}
}

// erlangC is the probability that a request must wait for one of c workers
// offered a load of a.
func erlangC(c int, a float64) float64 {
	sum, term := 0.0, 1.0
	for k := range c {
		sum += term
		term *= a / float64(k+1)
	}
	term *= float64(c) / (float64(c) - a)
	return term / (sum + term)
}

// TestTwoChoicesBeatRandom: a caller who sees every queue and joins the shorter
// of two drawn at random waits, with many instances,
//
//	T = Σ ρ^(2^i − 2), i = 1, 2, …
//
// service times (Mitzenmacher 1996), where a random choice waits 1/(1−ρ): 2.6
// and 10 for ρ = 0.9. With 100 instances T is a few per cent more.
func TestTwoChoicesBeatRandom(t *testing.T) {
	const rho = 0.9
	want := 0.0
	for i := 1; i < 12; i++ {
		want += math.Pow(rho, math.Pow(2, float64(i))-2)
	}
	m := Model{
		Endpoints: 100, Routers: 1, Workers: 1, ServiceMean: 100 * time.Millisecond,
		Service: "exponential", Queue: "fifo", Patience: patienceMax,
	}
	m.RatePerS = rho * m.CapacityPerS()
	got, stderr := meanLatency(t, m, "least-request")
	if got < want-4.5*stderr || got > 1.06*want+4.5*stderr {
		t.Errorf("mean response of %.3f ± %.3f service times, want %.3f to %.3f", got, stderr, want, 1.06*want)
	}
	oracle, _ := meanLatency(t, m, Oracle)
	if oracle >= got {
		t.Errorf("the shortest of all queues takes %.3f, that of two %.3f", oracle, got)
	}
}

// The oracle is one for all routers: to it, their number makes no difference.
func TestTheOracleSeesWhatAllRoutersSend(t *testing.T) {
	m := small()
	m.RatePerS = 0.8 * m.CapacityPerS()
	one, many := m, m
	one.Routers, many.Routers = 1, 50
	a, _ := meanLatency(t, one, Oracle)
	b, errB := meanLatency(t, many, Oracle)
	if math.Abs(a-b) > 6*errB {
		t.Errorf("%.3f service times with one router, %.3f ± %.3f with fifty", a, b, errB)
	}
	// Whereas others know only what they sent themselves.
	c, _ := meanLatency(t, one, "least-request-full")
	d, _ := meanLatency(t, many, "least-request-full")
	if d < 1.2*c {
		t.Errorf("least-request-full: %.3f with one router, %.3f with fifty, which see less", c, d)
	}
}

// Work is drawn for the request, not by who serves it.
func TestServiceTimesHaveTheirMean(t *testing.T) {
	for _, d := range Distributions {
		w := newWorld(small(), steady, balance.Strategies[0], 1)
		sum := 0.0
		const draws = 100_000
		for range draws {
			sum += d.draw(w.load)
		}
		// The greatest deviation is lognormal's, 1.31: 1.31/√100,000 = 0.4 %.
		if mean := sum / draws; math.Abs(mean-1) > 0.02 {
			t.Errorf("%s: mean %v", d.Name, mean)
		}
	}
}
