package loadgen

import (
	"strings"
	"testing"
	"time"

	"breakbank/loadgen/transport"
)

// tireless is a pacer that never gets anywhere.
type tireless struct{}

func (tireless) Rate(time.Duration) float64                              { return 1 }
func (tireless) Next(prev time.Duration, _ func() float64) time.Duration { return prev }

func TestASchedulesLengthIsBounded(t *testing.T) {
	p := Plan{Pacer: tireless{}, Duration: time.Second, Journeys: []JourneySpec{{
		Name: "never sent", Weight: 1, Patience: time.Second,
		Steps: []Step{{Build: func(*Visit, *transport.Call) error { return nil }}},
	}}}
	if _, err := drawUpTo(p, 1000); err == nil || !strings.Contains(err.Error(), "more than 1000 arrivals") {
		t.Errorf("got %v, want an error that says how many are too many", err)
	}
}
