package replay

import (
	"testing"
	"time"

	"breakbank/bench/scenario"
)

// TestClockStandsStill: while routers recover the incident's clock stops, and
// what is due later is due that much later in real time.
func TestClockStandsStill(t *testing.T) {
	zero := time.Date(2017, time.October, 27, 12, 0, 0, 0, time.UTC)
	at := func(s float64) time.Time { return zero.Add(durationS(s)) }
	c := newClock(&scenario.Plan{Pace: 60, ClockStart: 13*time.Hour + 55*time.Minute}, zero)
	c.say("the day before")
	if text, minutes := c.show(at(1)); text != "the day before" || minutes != nil {
		t.Errorf("before the start the clock shows %q, %v", text, minutes)
	}
	c.start(at(10))
	expect := func(s float64, want string) {
		t.Helper()
		if got, _ := c.show(at(s)); got != want {
			t.Errorf("%v s: the clock shows %s, want %s", s, got, want)
		}
	}
	expect(25, "14:10:00")
	c.stand(at(30))
	expect(30, "14:15:00")
	expect(37, "14:15:00")
	c.run(at(38))
	expect(38, "14:15:00")
	expect(39.5, "14:16:30")
	if got, want := c.due(30*time.Second), at(48); !got.Equal(want) {
		t.Errorf("30 s after the start is due at %v, want %v", got, want)
	}
}
