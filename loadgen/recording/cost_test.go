package recording_test

import (
	"math"
	"math/rand/v2"
	"runtime"
	"sync/atomic"
	"testing"
	"time"

	"breakbank/loadgen"
)

// synthetic are records of a service whose latencies are log-normal around 0.5
// ms, a few of them slow, and 1 % failures. Of each the times count from when it
// was intended.
func synthetic(n int) []loadgen.Record {
	rnd := rand.New(rand.NewPCG(1, 2))
	all := make([]loadgen.Record, n)
	for i := range all {
		took := 500e3 * math.Exp(0.5*rnd.NormFloat64())
		if rnd.IntN(100) == 0 {
			took *= 20
		}
		delay := 60e3 * math.Exp(0.3*rnd.NormFloat64())
		all[i] = record(i, 0, 0, loadgen.OK)
		ofJourney(&all[i], i%len(journeys))
		all[i].SentNs, all[i].DoneNs = int64(delay), int64(delay+took)
		if rnd.IntN(100) == 0 {
			all[i].Outcome, all[i].Code, all[i].Err = loadgen.Failed, "UNAVAILABLE", "dial tcp 10.0.0.1:5432: refused"
		}
	}
	return all
}

// clock hands out synthetic records at a rate.
type clock struct {
	all      []loadgen.Record
	perS, at int64
}

func (c *clock) next() loadgen.Record {
	r := c.all[c.at%int64(len(c.all))]
	intended := c.at * int64(time.Second) / c.perS
	c.at++
	r.IntendedNs, r.SentNs, r.DoneNs = intended, intended+r.SentNs, intended+r.DoneNs
	return r
}

// BenchmarkRecord is what a record costs, at 100,000 a second of virtual time.
// Taking the record from the clock costs some 30 ns of it.
func BenchmarkRecord(b *testing.B) {
	r := newRecorder()
	c := clock{all: synthetic(1 << 16), perS: 100_000}
	b.ReportAllocs()
	for b.Loop() {
		one := c.next()
		r.Record(&one)
	}
}

// BenchmarkClock is what of BenchmarkRecord is not the recorder.
func BenchmarkClock(b *testing.B) {
	c := clock{all: synthetic(1 << 16), perS: 100_000}
	var sum int64
	for b.Loop() {
		one := c.next()
		sum += one.DoneNs
	}
	_ = sum
}

// BenchmarkRecordParallel is the same from all processors at once.
func BenchmarkRecordParallel(b *testing.B) {
	r := newRecorder()
	all := synthetic(1 << 16)
	var at atomic.Int64
	b.ReportAllocs()
	b.RunParallel(func(pb *testing.PB) {
		c := clock{all: all, perS: 100_000, at: at.Add(1)}
		for pb.Next() {
			one := c.next()
			r.Record(&one)
		}
	})
}

// BenchmarkSnapshot is a snapshot of a recorder in use.
func BenchmarkSnapshot(b *testing.B) {
	r := newRecorder()
	c := clock{all: synthetic(1 << 16), perS: 10_000}
	for range 300_000 {
		one := c.next()
		r.Record(&one)
	}
	for b.Loop() {
		r.Snapshot()
	}
}

// BenchmarkLive is what a live view costs.
func BenchmarkLive(b *testing.B) {
	r := newRecorder()
	c := clock{all: synthetic(1 << 16), perS: 10_000}
	for range 300_000 {
		one := c.next()
		r.Record(&one)
	}
	for b.Loop() {
		r.Live(10)
	}
}

func TestRecordDoesNotAllocate(t *testing.T) {
	r := newRecorder()
	c := clock{all: synthetic(1 << 12), perS: 100_000}
	for range 2_000_000 {
		one := c.next()
		r.Record(&one)
	}
	if got := testing.AllocsPerRun(10_000, func() {
		one := c.next()
		r.Record(&one)
	}); got != 0 {
		t.Errorf("%v allocations a record", got)
	}
}

// heapMax is by how much a recorder may grow once the first seconds are over:
// the series is 0.5 kB a journey and second, and the log up to 64 intervals.
const heapMax = 5 << 20

func TestMemoryIsFlat(t *testing.T) {
	const lasts = 300
	records := 10_000_000
	if raceDetector {
		records = 1_000_000
	}
	r := newRecorder()
	c := clock{all: synthetic(1 << 16), perS: int64(records / lasts)}
	record := func(n int) {
		for range n {
			one := c.next()
			r.Record(&one)
		}
	}
	heap := func() int64 {
		var m runtime.MemStats
		runtime.GC()
		runtime.ReadMemStats(&m)
		return int64(m.HeapAlloc)
	}
	record(records / lasts * 20)
	before := heap()
	record(records / lasts * (lasts - 20))
	after := heap()
	t.Logf("%d kB after 20 s, %d kB after %d s", before>>10, after>>10, lasts)
	if after-before > heapMax {
		t.Errorf("%d kB more after %d s than after 20", (after-before)>>10, lasts)
	}
	if n := r.Snapshot().Totals(0, 0).Sent; n < int64(records-2*lasts) {
		t.Errorf("%d sent", n)
	}
	runtime.KeepAlive(c.all)
}
