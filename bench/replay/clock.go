package replay

import (
	"sync"
	"time"

	"breakbank/bench/scenario"
)

// clock is the run's: real seconds since zero, and the incident's time beside
// it. Before the script's clock starts, it shows the operator's words. Safe for
// concurrent use.
type clock struct {
	plan *scenario.Plan
	zero time.Time

	mu      sync.Mutex
	words   string
	started time.Time // when the script's clock started; zero before
	stands  []span    // when it stood still, in order
}

// span is a stretch of real time; one without an end goes on.
type span struct{ from, to time.Time }

func newClock(plan *scenario.Plan, zero time.Time) *clock {
	return &clock{plan: plan, zero: zero}
}

// seconds is real time since zero.
func (c *clock) seconds(at time.Time) float64 { return at.Sub(c.zero).Seconds() }

// say sets what the clock shows until it starts.
func (c *clock) say(words string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.words = words
}

// start lets the script's clock run.
func (c *clock) start(at time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.started = at
}

// stand stops the script's clock, run lets it go on.
func (c *clock) stand(at time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.stands = append(c.stands, span{from: at})
}

func (c *clock) run(at time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if last := len(c.stands) - 1; last >= 0 && c.stands[last].to.IsZero() {
		c.stands[last].to = at
	}
}

// stood is how long the clock had stood still by then. The caller holds mu.
func (c *clock) stood(at time.Time) (sum time.Duration) {
	for _, s := range c.stands {
		if !s.from.Before(at) {
			break
		}
		if to := s.to; to.IsZero() || to.After(at) {
			s.to = at
		}
		sum += s.to.Sub(s.from)
	}
	return sum
}

// due is the real time of a step that is due so long after the clock's start.
func (c *clock) due(after time.Duration) time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.started.Add(after + c.stood(time.Now()))
}

// show is what the incident's clock shows, and minutes of the script since it
// started, nil before.
func (c *clock) show(at time.Time) (text string, pacedMin *float64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.started.IsZero() {
		return c.words, nil
	}
	if at.Before(c.started) {
		return c.words, nil
	}
	paced := c.plan.Paced(at.Sub(c.started) - c.stood(at))
	minutes := paced.Minutes()
	return scenario.ClockText(c.plan.ClockStart + paced), &minutes
}

func durationS(s float64) time.Duration { return time.Duration(s * float64(time.Second)) }
