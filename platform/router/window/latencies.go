package window

import (
	"math"
	"math/bits"
	"time"
)

// Latencies are kept for 30 s in 3 slots (Finagle, WindowedPercentileHistogram:
// 3 buckets of 10 s track latency as well as more do).
const (
	latencySlot  = 10 * time.Second
	latencySlots = 3
)

// A slot is a histogram of microseconds with 8 buckets to each power of two,
// so that an estimate is at most 1/8 too high; up to 2^27 µs, 134 s, longer
// ones count as that. 200 buckets of 4 bytes.
const (
	bucketsLog2 = 3
	perOctave   = 1 << bucketsLog2
	maxBits     = 27
	buckets     = (maxBits-bucketsLog2-1)*perOctave + 2*perOctave
)

// Latencies estimates percentiles of the last 30 s, in 2.4 KB whatever the
// load. The zero value is ready.
type Latencies struct {
	slots [latencySlots]histogram
}

type histogram struct {
	index   int64
	count   int
	buckets [buckets]uint32
}

// Add notes how long something took.
func (l *Latencies) Add(now time.Time, took time.Duration) {
	i := index(now, latencySlot)
	h := &l.slots[place(i, latencySlots)]
	if h.index != i {
		*h = histogram{index: i}
	}
	h.count++
	h.buckets[bucketOf(took)]++
}

// Percentile estimates what the share p of the latencies (0 < p ≤ 1) does not
// exceed, at most 1/8 and 1 µs too high, and says of how many it is made.
// Without any it returns zero.
func (l *Latencies) Percentile(now time.Time, p float64) (estimate time.Duration, samples int) {
	oldest := index(now, latencySlot) - latencySlots + 1
	for i := range l.slots {
		if l.slots[i].index >= oldest {
			samples += l.slots[i].count
		}
	}
	if samples == 0 {
		return 0, 0
	}
	rank := max(1, int(math.Ceil(p*float64(samples))))
	for b := range buckets {
		for i := range l.slots {
			if l.slots[i].index >= oldest {
				rank -= int(l.slots[i].buckets[b])
			}
		}
		if rank <= 0 {
			return upperEdge(b), samples
		}
	}
	return upperEdge(buckets - 1), samples
}

// bucketOf: below 8 µs a bucket for each; above, the power of two and the
// three bits after the leading one.
func bucketOf(took time.Duration) int {
	us := uint64(min(max(took.Microseconds(), 0), 1<<maxBits-1))
	shift := max(bits.Len64(us)-bucketsLog2-1, 0)
	return shift*perOctave + int(us>>shift)
}

func upperEdge(bucket int) time.Duration {
	shift := max(bucket/perOctave-1, 0)
	us := int64(bucket-shift*perOctave+1) << shift
	return time.Duration(us) * time.Microsecond
}
