package balance

import "time"

// Constants of the guard against instances that fail at once. The paper says
// that Prequal has such a guard, and not which; these are ours. Three failures
// in a row are enough where most others have none; some seconds later it is
// tried again.
const (
	sickGain  = 0.1 // weight of the latest answer
	sickDecay = 10 * time.Second
	sickAbove = 0.2
)

// sickness is the share of an endpoint's latest answers that were failures,
// and fades with time, as nobody asks the sick.
type sickness struct {
	pending int
	failing fading
}

// answered counts one more answer and returns by how much the share changed.
func (s *sickness) answered(now time.Time, failed bool) float64 {
	change := -s.failing.at(now) * sickGain
	if failed {
		change += sickGain
	}
	s.failing.add(now, change)
	return change
}

// fading is a figure, not negative, that fades with sickDecay. Sums of such
// figures fade as they do.
type fading struct {
	value float64
	stamp time.Time
}

func (f *fading) at(now time.Time) float64 {
	if f.value == 0 {
		return 0
	}
	return f.value * fade(float64(max(0, now.Sub(f.stamp)))/float64(sickDecay))
}

func (f *fading) add(now time.Time, change float64) {
	f.value, f.stamp = max(0, f.at(now)+change), now
}
