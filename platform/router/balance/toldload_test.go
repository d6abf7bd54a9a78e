package balance

import (
	"testing"
	"time"
)

func TestToldLoad(t *testing.T) {
	m := newToldLoad()
	a := Endpoint{ID: "a"}
	observe := func(kind EventKind, load *Load) {
		m.Observe(Event{Kind: kind, ID: "a", At: epoch, Load: load})
	}
	expect := func(want float64) {
		t.Helper()
		if got := m.Load(epoch.Add(time.Hour), &a); got != want {
			t.Errorf("load %v, want %v", got, want)
		}
	}
	expect(0)
	observe(Sent, nil)
	observe(Sent, nil)
	expect(2) // told nothing, it counts its own
	observe(Probed, &Load{InFlight: 10})
	expect(10)
	observe(Sent, nil)
	expect(11)
	observe(Done, nil)
	expect(10)
	observe(Done, &Load{InFlight: 0})
	expect(1) // its own is there, whatever the instance says
	a.Weight = 0.5
	expect(2)
	observe(Gone, nil)
	expect(0)
	observe(Done, nil)
	expect(0)
}
