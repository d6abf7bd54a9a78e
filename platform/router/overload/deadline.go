package overload

import (
	"cmp"
	"fmt"
	"time"

	"breakbank/platform/router/window"
)

// DeadlineMinimum is the least time that is worth sending a request with
// (ours: about what two hops and a wake-up take inside a data centre).
const DeadlineMinimum = time.Millisecond

// DeadlineConfig is what an arm chooses.
type DeadlineConfig struct {
	// Minimum is the least time left with which a request is sent.
	Minimum time.Duration `yaml:"minimum"`
}

// WithDefaults fills in what is zero.
func (c DeadlineConfig) WithDefaults() DeadlineConfig {
	c.Minimum = cmp.Or(c.Minimum, DeadlineMinimum)
	return c
}

// Validate says what is wrong, and what would be right.
func (c DeadlineConfig) Validate() error {
	if c.Minimum <= 0 {
		return fmt.Errorf("minimum %v must be positive, such as %v", c.Minimum, DeadlineMinimum)
	}
	return nil
}

// Deadlines say with how much time a request is sent on, and when it is not
// worth sending (Site Reliability Engineering, chapter 22, deadline
// propagation; gRPC's grpc-timeout is relative, so each hop must take off what
// it spent).
//
// A request is refused that cannot finish: it has less than the minimum left,
// or less than the fastest answer of the service took in the last 30 s. If
// that makes it refuse all, there are no answers to remember after 30 s, and
// it tries again.
type Deadlines struct {
	config  DeadlineConfig
	fastest window.Fastest
}

// NewDeadlines returns the rule for one service, nil for no configuration. A
// nil one takes off what was spent and refuses only what has nothing left.
func NewDeadlines(c *DeadlineConfig) *Deadlines {
	if c == nil {
		return nil
	}
	return &Deadlines{config: *c}
}

// Left is the time to send a request on with whose caller granted timeout,
// spent ago; false if it is not worth sending.
func (d *Deadlines) Left(now time.Time, timeout, spent time.Duration) (left time.Duration, ok bool) {
	left = timeout - max(spent, 0)
	if left <= 0 {
		return 0, false
	}
	if d == nil {
		return left, true
	}
	if left < d.config.Minimum {
		return left, false
	}
	fastest, known := d.fastest.Get(now)
	return left, !known || left >= fastest
}

// Answered notes how long the service took for an answer.
func (d *Deadlines) Answered(now time.Time, took time.Duration) {
	if d != nil {
		d.fastest.Add(now, took)
	}
}
