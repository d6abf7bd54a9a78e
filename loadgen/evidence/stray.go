package evidence

import (
	"math"
	"slices"
)

// Stray says how far sent times strayed from the schedule.
type Stray struct {
	Samples int
	// D is the two-sample Kolmogorov–Smirnov distance between when requests
	// were due and when they were sent, as shares of the load: at no moment was
	// more than this share of it behind. A generator that stood still for s
	// seconds of a steady load of t has D ≈ s/t.
	D float64
	// GapD is the same distance between the drawn and the sent inter-arrival
	// times, over gaps of Group arrivals.
	GapD  float64
	Group int
}

// strayGapNs is how long the compared gaps should be. Two requests due within
// the grain of a wake-up (0.1 ms here, up to 1 ms elsewhere) leave together on
// any machine: single gaps at 1000 a second would show that and nothing else.
//
// A sum of k exponential gaps that make T is near normal with deviation T/√k,
// so its density is at most √k/(T √(2π)). Sent times that all lie on a grid of g
// turn that into steps, and a step's half is the distance:
//
//	GapD ≈ g √k / (2 T √(2π)),  and with k = rate·T:  g √rate / (5 √T)
//
// At T = 100 ms and g = 1 ms that is 0.02 at 1000 a second, and stays below the
// limit of 0.05 up to 6000.
const strayGapNs = 100e6

// StrayOf compares the times at which requests were due with those at which
// they were sent, pairwise and in the order of the schedule, in nanoseconds.
func StrayOf(intendedNs, sentNs []int64) Stray {
	n := min(len(intendedNs), len(sentNs))
	if n < 2 {
		return Stray{Samples: n}
	}
	s := Stray{Samples: n, D: distance(floats(intendedNs[:n]), floats(sentNs[:n])), Group: 1}
	if span := float64(intendedNs[n-1] - intendedNs[0]); span > 0 {
		s.Group = max(1, int(math.Ceil(strayGapNs*float64(n-1)/span)))
	}
	if s.Group < n {
		s.GapD = distance(gapsOf(intendedNs[:n], s.Group), gapsOf(sentNs[:n], s.Group))
	}
	return s
}

// distance is the two-sample Kolmogorov–Smirnov distance: how far the shares of
// a and of b that have come lie apart, at the worst place.
func distance(a, b []float64) float64 {
	slices.Sort(a)
	slices.Sort(b)
	farthest := 0.0
	for i, k := 0, 0; i < len(a) && k < len(b); {
		at := min(a[i], b[k])
		for i < len(a) && a[i] == at {
			i++
		}
		for k < len(b) && b[k] == at {
			k++
		}
		farthest = max(farthest, math.Abs(float64(i)/float64(len(a))-float64(k)/float64(len(b))))
	}
	return farthest
}

// gapsOf are the gaps from each arrival to the one group later. They overlap,
// which a distance does not mind.
func gapsOf(timesNs []int64, group int) []float64 {
	gaps := make([]float64, 0, len(timesNs))
	for i := group; i < len(timesNs); i++ {
		gaps = append(gaps, float64(timesNs[i]-timesNs[i-group]))
	}
	return gaps
}

func floats(v []int64) []float64 {
	f := make([]float64, len(v))
	for i := range v {
		f[i] = float64(v[i])
	}
	return f
}
