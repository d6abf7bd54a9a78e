package load

import (
	"reflect"
	"testing"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"

	"breakbank/loadgen/workers"
)

// framed is a frame with n samples from 1 ms on, a millisecond apart.
func framed(phase string, at time.Duration, n int64) frame {
	f := frame{
		Phase: phase, At: at, Of: time.Minute, Offered: n + 2, Sent: n + 1, Done: n, Good: n - 1, Degraded: 1, InFlight: 2,
		Errors:    map[string]int64{"UNAVAILABLE": 1},
		response:  hdrhistogram.New(1_000, 60_000_000_000, 3),
		sendDelay: hdrhistogram.New(1_000, 60_000_000_000, 3),
	}
	for i := range n {
		_ = f.response.RecordValue((i + 1) * int64(time.Millisecond))
		_ = f.sendDelay.RecordValue(int64(time.Microsecond))
	}
	return f
}

func TestFramesTravel(t *testing.T) {
	f := framed(PhaseMain, time.Second, 100)
	data, err := f.encode()
	if err != nil {
		t.Fatal(err)
	}
	back, err := decodeFrame(data)
	if err != nil {
		t.Fatal(err)
	}
	if !back.response.Equals(f.response) || !back.sendDelay.Equals(f.sendDelay) {
		t.Error("the histograms changed on the way")
	}
	back.response, back.sendDelay = f.response, f.sendDelay
	if !reflect.DeepEqual(back, f) {
		t.Errorf("sent %+v, came %+v", f, back)
	}
	for cut := range len(data) {
		if _, err := decodeFrame(data[:cut]); err == nil {
			t.Fatalf("a frame cut to %d of %d bytes was read", cut, len(data))
		}
	}
}

func TestFramesAddUp(t *testing.T) {
	one, other := framed(PhaseMain, time.Second, 100), framed(PhaseMain, 2*time.Second, 50)
	var sum frame
	for _, f := range []frame{one, other} {
		if err := sum.add(f); err != nil {
			t.Fatal(err)
		}
	}
	if sum.Done != 150 || sum.Offered != 154 || sum.At != 2*time.Second || sum.Degraded != 2 || sum.Errors["UNAVAILABLE"] != 2 || sum.response.TotalCount() != 150 {
		t.Errorf("%+v", sum)
	}
	if one.Errors["UNAVAILABLE"] != 1 {
		t.Error("adding changed the errors of a worker's frame")
	}
}

// TestPulse: a tick's last second is what was gained since the tick before, and a
// phase begins anew.
func TestPulse(t *testing.T) {
	var p pulse
	first := p.tick(framed(PhaseWarmUp, time.Second, 10))
	if first.RatePerS != 11 || first.Last.P50 == nil || *first.Last.P50 < 4.9 || *first.Last.P50 > 5.1 || first.Last.P99 != nil {
		t.Errorf("%+v", first)
	}
	second := p.tick(framed(PhaseWarmUp, 3*time.Second, 20)) // 11 to 20 ms are new
	if second.RatePerS != 5 || *second.Last.P50 < 14.9 || *second.Last.P50 > 15.1 || *second.Overall.P50 > 10.1 {
		t.Errorf("%+v", second)
	}
	third := p.tick(framed(PhaseMain, time.Second, 10))
	if third.RatePerS != 11 || *third.Last.P50 > 5.1 {
		t.Errorf("%+v", third)
	}
}

func TestShares(t *testing.T) {
	for _, c := range []struct{ n, parts int }{{0, 1}, {1, 3}, {10, 3}, {12, 4}} {
		sum := int64(0)
		for part := range c.parts {
			for seq := part; seq < c.n; seq += c.parts {
				sum++
			}
			sum -= share64(c.n, part, c.parts)
		}
		if sum != 0 {
			t.Errorf("%d over %d parts: off by %d", c.n, c.parts, sum)
		}
	}
}

// TestScaledKeepsTheShape: twice the rate in half the time.
func TestScaledKeepsTheShape(t *testing.T) {
	s := Spec{Method: &MethodSpec{}, Pacer: "burst:100..1000/1s/4s", times: 2}
	p, err := s.pacer(time.Second)
	if err != nil {
		t.Fatal(err)
	}
	for at, want := range map[time.Duration]float64{0: 2000, 499 * time.Millisecond: 2000, 501 * time.Millisecond: 200, 1999 * time.Millisecond: 200, 2001 * time.Millisecond: 2000} {
		if got := p.Rate(at); got != want {
			t.Errorf("%v: %g a second, not %g", at, got, want)
		}
	}
	n, at := 0, time.Duration(0)
	for unit := func() float64 { return 1 }; at < 20*time.Second; n++ {
		at = p.Next(at, unit)
	}
	if n < 12_990 || n > 13_010 { // 10 bursts of 1000, and 10 times 1.5 s at 200
		t.Errorf("%d arrivals in 20 s", n)
	}
}

// TestADoneWorkerDoesNotDip: who has finished early counts with all that it did,
// and no second is shown of which it has not told.
func TestADoneWorkerDoesNotDip(t *testing.T) {
	state := func(done bool, at time.Duration, n int64) workers.WorkerState {
		f := framed(PhaseMain, at, n)
		f.Of = 3 * time.Second
		data, err := f.encode()
		if err != nil {
			t.Fatal(err)
		}
		return workers.WorkerState{Done: done, Progress: workers.Progress{Snapshot: data}}
	}
	const half = time.Second / 2
	for name, c := range map[string]struct {
		one, other workers.WorkerState
		at         time.Duration
		done       int64
	}{
		"both under way":              {state(false, 5*half, 250), state(false, 4*half, 200), 4 * half, 450},
		"its last was not heard":      {state(true, 5*half, 250), state(false, 6*half, 300), 5 * half, 550},
		"its last was heard":          {state(true, 6*half+1, 300), state(false, 6*half, 300), 6 * half, 600},
		"the other waits for answers": {state(true, 6*half+1, 300), state(false, 9*half, 300), 9 * half, 600},
		"both are done":               {state(true, 6*half+1, 300), state(true, 7*half, 300), 7 * half, 600},
	} {
		sum, ok := sumFrames([]workers.WorkerState{c.one, c.other})
		if !ok || sum.At != c.at || sum.Done != c.done {
			t.Errorf("%s: %v, %d at %v, want %d at %v", name, ok, sum.Done, sum.At, c.done, c.at)
		}
	}
}
