package sim

import (
	"math"
	"time"
)

// Fate is how a request ended.
type Fate int

// The fates; every request has exactly one.
const (
	// Answered: well, and in time.
	Answered Fate = iota
	// Errored: the instance answered with an error.
	Errored
	// TimedOut: the caller gave up.
	TimedOut
	// Refused: the instance had no place for it.
	Refused
	// Unreachable: no connection came about.
	Unreachable
	// Nowhere: the router knew of no instance.
	Nowhere

	// Fates is how many there are.
	Fates = 6
)

func (f Fate) String() string {
	return [Fates]string{"answered", "errored", "timed out", "refused", "unreachable", "nowhere"}[f]
}

// BucketLength is the grain of everything over time.
const BucketLength = time.Second

// Bucket counts the requests that arrived in a stretch of time.
type Bucket struct {
	Arrived, Failed int
	// Watched is those that were sent to a watched instance, and Hurt those of
	// them that failed or took longer than the objective.
	Watched, Hurt int
	// Latency is arrival to end. Failures stay in at the value they reached.
	Latency Histogram
	// LatencySum is of all of them, exactly.
	LatencySum time.Duration
}

// Add merges another bucket of the same stretch.
func (b *Bucket) Add(other *Bucket) {
	b.Arrived += other.Arrived
	b.Failed += other.Failed
	b.Watched += other.Watched
	b.Hurt += other.Hurt
	b.LatencySum += other.LatencySum
	b.Latency.Add(&other.Latency)
}

// Histogram buckets durations by the leading bits of their float64 form: 64
// to an octave, so that a quantile is right to 0.8 %. It reaches from 2¹⁷ ns,
// 0.13 ms, to 2³⁵ ns, 34 s; what is beyond counts at the end.
type Histogram [octaves << subBits]uint32

const (
	subBits  = 6
	octaves  = 18
	leastExp = 17
	mantissa = 52 // bits of a float64's fraction
	// offset is the leading bits of the float64 2¹⁷.
	offset = (1023 + leastExp) << subBits
)

// Observe counts one duration.
func (h *Histogram) Observe(d time.Duration) {
	i := int(math.Float64bits(float64(d))>>(mantissa-subBits)) - offset
	h[max(0, min(i, len(h)-1))]++
}

// Add merges another histogram.
func (h *Histogram) Add(other *Histogram) {
	for i, n := range other {
		h[i] += n
	}
}

// Count is how many durations were counted.
func (h *Histogram) Count() int {
	n := 0
	for _, c := range h {
		n += int(c)
	}
	return n
}

// quantileSamples is how many samples must lie beyond a quantile for it to be
// shown. (Ours.)
const quantileSamples = 5

// Quantile is the duration that a share q of those counted did not exceed;
// false if there are too few to tell.
func (h *Histogram) Quantile(q float64) (time.Duration, bool) {
	n := h.Count()
	if float64(n)*(1-q) < quantileSamples {
		return 0, false
	}
	rank := int(math.Ceil(q * float64(n)))
	for i, c := range h {
		if rank -= int(c); rank <= 0 {
			return middle(i), true
		}
	}
	return 0, false
}

// middle is the duration in the middle of a bin.
func middle(i int) time.Duration {
	low := math.Float64frombits(uint64(i+offset) << (mantissa - subBits))
	high := math.Float64frombits(uint64(i+1+offset) << (mantissa - subBits))
	return time.Duration((low + high) / 2)
}
