package overload

import (
	"cmp"
	"errors"
	"fmt"
	"math/rand/v2"
	"time"
)

// Constants of the concurrency limit: Netflix concurrency-limits,
// Gradient2Limit (initialLimit 20, minLimit 20, maxConcurrency 200, queueSize
// 4, smoothing 0.2, rttTolerance 1.5, longWindow 600 with a warm-up of 10) and
// WindowedLimit (windows of 1 s with at least 10 samples).
const (
	ConcurrencyInitial   = 20
	ConcurrencyMin       = 20
	ConcurrencyMax       = 200
	ConcurrencyTolerance = 1.5

	gradientQueue      = 4
	gradientSmoothing  = 0.2
	gradientLongWindow = 600
	gradientWarmUp     = 10
	gradientWindow     = time.Second
	gradientMinSamples = 10

	// Latency that has been more than driftFactor times what it is now decays
	// faster: the load has fallen and the old base no longer holds.
	gradientDriftFactor = 2
	gradientDriftDecay  = 0.95
)

// ConcurrencyConfig is what an arm chooses.
type ConcurrencyConfig struct {
	// Initial, Min and Max are how many requests may be under way: at first,
	// at least and at most.
	Initial int `yaml:"initial"`
	Min     int `yaml:"min"`
	Max     int `yaml:"max"`
	// Tolerance is by how many times latency may rise above its long average
	// before the limit falls.
	Tolerance float64 `yaml:"tolerance"`
}

// WithDefaults fills in what is zero.
func (c ConcurrencyConfig) WithDefaults() ConcurrencyConfig {
	c.Max = cmp.Or(c.Max, ConcurrencyMax)
	c.Initial = cmp.Or(c.Initial, min(ConcurrencyInitial, c.Max))
	c.Min = cmp.Or(c.Min, min(ConcurrencyMin, c.Initial))
	c.Tolerance = cmp.Or(c.Tolerance, ConcurrencyTolerance)
	return c
}

// Validate says what is wrong, and what would be right.
func (c ConcurrencyConfig) Validate() error {
	var errs []error
	if c.Min < 1 || c.Initial < c.Min || c.Max < c.Initial {
		errs = append(errs, fmt.Errorf("1 ≤ min ≤ initial ≤ max must hold of min %d, initial %d, max %d: Netflix's are %d, %d, %d",
			c.Min, c.Initial, c.Max, ConcurrencyMin, ConcurrencyInitial, ConcurrencyMax))
	}
	if !(c.Tolerance >= 1) {
		errs = append(errs, fmt.Errorf("tolerance %v must be at least 1, or the limit falls while latency is steady: Netflix's is %v", c.Tolerance, ConcurrencyTolerance))
	}
	return errors.Join(errs...)
}

// gradient is Gradient2: a limit on requests under way that follows latency,
// as congestion control does. After each window, if at least half of the limit
// was used,
//
//	gradient = long / short × tolerance, within 0.5 and 1
//	limit    = 0.8 × limit + 0.2 × (limit × gradient + 4)
//
// where short is the window's average latency and long its moving average over
// 600 windows. While latency is steady the limit grows; when requests queue in
// the service it shrinks.
//
// A failure counts as a sample only if it took longer than long: a time-out
// shows that the service is slow, a fast failure does not show that it is
// quick.
type gradient struct {
	config   ConcurrencyConfig
	limit    float64
	underWay int

	long    float64 // ns
	windows int     // that made it, up to the warm-up

	endsAt  time.Time // of the window
	sum     float64   // ns
	samples int
	peak    int // most under way in the window
}

func newGradient(c ConcurrencyConfig) *gradient {
	return &gradient{config: c, limit: float64(c.Initial)}
}

func (g *gradient) Admit(time.Time, *rand.Rand, Criticality) bool {
	if g.underWay >= int(g.limit) {
		return false
	}
	g.underWay++
	g.peak = max(g.peak, g.underWay)
	return true
}

func (g *gradient) Done(now time.Time, took time.Duration, o Outcome) {
	g.underWay = max(0, g.underWay-1)
	if took <= 0 || o == Ignored || o == Failed && (g.windows == 0 || float64(took) <= g.long) {
		return
	}
	g.sum += float64(took)
	g.samples++
	if g.endsAt.IsZero() {
		g.endsAt = now.Add(gradientWindow)
	}
	if now.Before(g.endsAt) {
		return
	}
	if g.samples >= gradientMinSamples {
		g.adjust(g.sum / float64(g.samples))
	}
	g.endsAt = now.Add(gradientWindow)
	g.sum, g.samples, g.peak = 0, 0, g.underWay
}

func (g *gradient) adjust(short float64) {
	if g.windows < gradientWarmUp {
		g.windows++
		g.long += (short - g.long) / float64(g.windows)
	} else {
		g.long += (short - g.long) * 2 / (gradientLongWindow + 1)
	}
	if g.long > gradientDriftFactor*short {
		g.long *= gradientDriftDecay
	}
	if float64(g.peak) < g.limit/2 {
		return // nothing can be learned about a limit that was not felt
	}
	slope := max(0.5, min(1, g.config.Tolerance*g.long/short))
	wanted := g.limit*slope + gradientQueue
	g.limit = g.limit*(1-gradientSmoothing) + wanted*gradientSmoothing
	g.limit = max(float64(g.config.Min), min(float64(g.config.Max), g.limit))
}

func (g *gradient) Pressure(time.Time) float64 {
	return min(1, float64(g.underWay)/float64(int(g.limit)))
}
