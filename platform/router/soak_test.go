package router

import (
	"os"
	"runtime"
	"slices"
	"testing"
	"time"
)

// soakFor makes the tests of scale run at full size: `make soak` sets it to how
// long each is to hold. Without it they hold for a second, with less.
const soakFor = "BREAKBANK_SOAK"

// soak returns how long to hold, and whether at full size.
func soak(t *testing.T) (hold time.Duration, full bool) {
	t.Helper()
	value := os.Getenv(soakFor)
	if value == "" {
		return time.Second, false
	}
	hold, err := time.ParseDuration(value)
	if err != nil {
		t.Fatalf("%s: %v", soakFor, err)
	}
	return hold, true
}

// memory is what the process holds after a collection: its heap and its stacks.
func memory() uint64 {
	var m runtime.MemStats
	runtime.GC()
	runtime.GC() // empties pools, which keep things for one collection
	runtime.ReadMemStats(&m)
	return m.HeapAlloc + m.StackInuse
}

// settles waits until the process is back to about what it was: memory to
// within slack, goroutines to within a few.
func settles(t *testing.T, idle uint64, slack uint64, goroutines int) {
	t.Helper()
	deadline := time.Now().Add(10 * time.Second)
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for {
		held, running := memory(), runtime.NumGoroutine()
		if held <= idle+slack && running <= goroutines {
			t.Logf("back to %d KiB above idle, %d goroutines", int64(held-idle)/1024, running)
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("%d KiB above idle and %d goroutines, which were %d", (int64(held)-int64(idle))/1024, running, goroutines)
		}
		<-tick.C
	}
}

// quantile is the q-quantile of what was measured.
func quantile(took []time.Duration, q float64) time.Duration {
	if len(took) == 0 {
		return 0
	}
	slices.Sort(took)
	return took[min(len(took)-1, int(q*float64(len(took))))]
}
