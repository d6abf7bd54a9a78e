package balance

import (
	"testing"
	"time"

	"pgregory.net/rapid"
)

func TestEjection(t *testing.T) {
	e := NewEjector(EjectionConfig{Consecutive: 3, Base: 30 * time.Second, Max: 70 * time.Second, MaxPercent: 50})
	now := epoch
	fail := func(times int) (ejected bool) {
		for range times {
			ejected = e.Observe(now, "a", false, 4)
		}
		return ejected
	}
	if fail(2) {
		t.Error("ejected after 2 of 3 failures")
	}
	e.Observe(now, "a", true, 4)
	if fail(2) {
		t.Error("a success in between does not count")
	}
	// Each time it stays out for longer, up to the maximum; coming back, it
	// fails again at once.
	e.Observe(now, "a", true, 4)
	for _, want := range []time.Duration{30 * time.Second, 60 * time.Second, 70 * time.Second} {
		if !fail(3) {
			t.Fatal("not ejected after 3 failures")
		}
		now = now.Add(want - time.Nanosecond)
		if e.Ejected(now) != 1 {
			t.Errorf("back before %v", want)
		}
		now = now.Add(time.Nanosecond)
		if e.Ejected(now) != 0 {
			t.Errorf("still out after %v", want)
		}
	}
	// Good standing is forgiven, one ejection each 10 s.
	now = now.Add(time.Minute)
	fail(3)
	if now = now.Add(30 * time.Second); e.Ejected(now) != 0 {
		t.Error("the count was not forgiven")
	}
}

// What fails while an endpoint is out was begun before, or in a panic: back in
// rotation it has its full number of chances.
func TestFailuresWhileEjectedDoNotCount(t *testing.T) {
	e := NewEjector(EjectionConfig{Consecutive: 3, Base: 30 * time.Second, Max: 300 * time.Second, MaxPercent: 50})
	now := epoch
	for range 10 {
		e.Observe(now, "a", false, 4)
	}
	now = now.Add(30 * time.Second)
	for i := range 2 {
		if e.Observe(now, "a", false, 4) {
			t.Fatalf("ejected after %d of 3 failures", i+1)
		}
	}
	if !e.Observe(now, "a", false, 4) {
		t.Error("not ejected after 3 failures")
	}
}

func TestEjectionPanic(t *testing.T) {
	e := NewEjector(EjectionConfig{Consecutive: 1, Base: time.Minute, Max: time.Minute, MaxPercent: 100, PanicPercent: 50})
	endpoints := testEndpoints(4)
	ill := func() (n int) {
		for i := range endpoints {
			endpoints[i].Healthy = true
		}
		e.Mark(epoch, endpoints)
		return len(endpoints) - countHealthy(endpoints)
	}
	for i, want := range []int{1, 2, 0, 0} { // the third leaves 25 %: all are used
		e.Observe(epoch, endpoints[i].ID, false, len(endpoints))
		if got := ill(); got != want {
			t.Errorf("after %d ejections %d are out, want %d", i+1, got, want)
		}
	}
}

// Never more than MaxPercent are out at once, and none for longer than Max.
func TestEjectionIsBounded(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		c := EjectionConfig{
			Consecutive:  rapid.IntRange(1, 5).Draw(t, "consecutive"),
			Base:         time.Duration(rapid.IntRange(1, 30).Draw(t, "base")) * time.Second,
			Max:          time.Minute,
			MaxPercent:   rapid.IntRange(0, 100).Draw(t, "percent"),
			PanicPercent: rapid.IntRange(0, 100).Draw(t, "panic"),
		}
		e := NewEjector(c)
		endpoints := testEndpoints(rapid.IntRange(1, 12).Draw(t, "n"))
		now := epoch
		for range rapid.IntRange(1, 200).Draw(t, "steps") {
			now = now.Add(time.Duration(rapid.IntRange(0, 5000).Draw(t, "ms")) * time.Millisecond)
			i := rapid.IntRange(0, len(endpoints)-1).Draw(t, "i")
			e.Observe(now, endpoints[i].ID, rapid.IntRange(0, 9).Draw(t, "luck") == 0, len(endpoints))
			if out := e.Ejected(now); out*100 > c.MaxPercent*len(endpoints) {
				t.Fatalf("%d of %d are out, at most %d %%", out, len(endpoints), c.MaxPercent)
			}
			for j := range endpoints {
				endpoints[j].Healthy = true
			}
			e.Mark(now, endpoints)
			if healthy := countHealthy(endpoints); healthy*100 < c.PanicPercent*len(endpoints) {
				t.Fatalf("%d of %d are left, at least %d %%", healthy, len(endpoints), c.PanicPercent)
			}
		}
		if out := e.Ejected(now.Add(c.Max)); out != 0 {
			t.Fatalf("%d are still out after the maximum", out)
		}
	})
}
