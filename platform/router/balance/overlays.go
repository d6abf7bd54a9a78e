package balance

import (
	"errors"
	"fmt"
	"time"
)

// minOverlayWindow is the shortest window an overlay may have: its slots, a
// tenth of it, must be long beside a request.
const minOverlayWindow = 100 * time.Millisecond

// OverlayConfig says which overlays act on the endpoints of a service, beside
// ejection and retries, which have keys of their own. One that is nil is off.
type OverlayConfig struct {
	Accrual   *AccrualConfig   `yaml:"accrual"`
	FailFast  *FailFastConfig  `yaml:"fail_fast"`
	SlowStart *SlowStartConfig `yaml:"slow_start"`
	Hedging   *HedgeConfig     `yaml:"hedging"`
}

// OverlayKind is an overlay that an arm can name under `overlays:`.
type OverlayKind struct {
	Name, About string
	// On says whether a configuration has it.
	On func(OverlayConfig) bool
}

// Overlays is every one there is. Adding one touches its own file, a line here
// and its key in OverlayConfig.
var Overlays = []OverlayKind{
	{"accrual", "marks an endpoint dead that keeps failing, and revives it by one request (linkerd)", func(c OverlayConfig) bool { return c.Accrual != nil }},
	{"fail_fast", "leaves alone an address that takes no connection, for longer each time (Finagle)", func(c OverlayConfig) bool { return c.FailFast != nil }},
	{"slow_start", "gives an endpoint that has just joined a smaller share at first (Envoy)", func(c OverlayConfig) bool { return c.SlowStart != nil }},
	{"hedging", "sends a slow idempotent request a second time, elsewhere (The Tail at Scale)", func(c OverlayConfig) bool { return c.Hedging != nil }},
}

// WithDefaults fills in what the overlays that are on leave out.
func (c OverlayConfig) WithDefaults() OverlayConfig {
	return OverlayConfig{
		Accrual:   filled(c.Accrual),
		FailFast:  filled(c.FailFast),
		SlowStart: filled(c.SlowStart),
		Hedging:   filled(c.Hedging),
	}
}

func filled[C interface{ WithDefaults() C }](c *C) *C {
	if c == nil {
		return nil
	}
	full := (*c).WithDefaults()
	return &full
}

// Validate says what is wrong with the overlays that are on, and what would be
// right. It expects the defaults to be filled in.
func (c OverlayConfig) Validate() error {
	return errors.Join(
		checked("accrual", c.Accrual),
		checked("fail_fast", c.FailFast),
		checked("slow_start", c.SlowStart),
		checked("hedging", c.Hedging),
	)
}

func checked[C interface{ Validate() error }](name string, c *C) error {
	if c == nil {
		return nil
	}
	if err := (*c).Validate(); err != nil {
		return fmt.Errorf("overlay %s: %w", name, err)
	}
	return nil
}
