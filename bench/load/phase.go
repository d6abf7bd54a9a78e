package load

import (
	"fmt"
	"math"
	"time"

	"breakbank/loadgen"
	"breakbank/loadgen/pacer"
	"breakbank/loadgen/recording"
)

// loadWarmUp is what the schedule of the warm-up is called; it draws differently
// from the one that counts.
const loadWarmUp = "warmup"

// thinkAllowance is how long the customer of a session is taken to pause at most,
// for how long a second of the recording stays open.
const thinkAllowance = time.Minute

// phase is the warm-up, or the load that counts: a schedule, and what one process
// records of its share of it.
type phase struct {
	name        string
	schedule    *loadgen.Schedule
	pacer       loadgen.Pacer
	part, parts int
	closed      int // journeys at once, of this part; 0 is open loop
	recorder    *recording.Recorder
}

// newPhase draws a phase.
func (a *assembly) newPhase(name, load string, lasts time.Duration, part, parts int) (*phase, error) {
	paced, err := a.spec.pacer(lasts)
	if err != nil {
		return nil, err
	}
	p := &phase{
		name: name, pacer: paced, part: part, parts: max(1, parts),
		closed: int(share64(a.spec.Closed, part, max(1, parts))),
		recorder: recording.NewRecorder(recording.Options{
			Journeys: loadgen.Names(a.journeys), Patience: a.patience(), Objective: a.spec.Objective,
			Phases: []recording.Phase{{Name: name, ToNs: math.MaxInt64}},
		}),
	}
	p.schedule, err = loadgen.Draw(loadgen.Plan{
		Seed: a.spec.Seed, Load: load, Pacer: paced, Duration: lasts, Journeys: a.journeys, Population: a.population,
	})
	return p, err
}

// patience is the longest of any journey.
func (a *assembly) patience() time.Duration {
	longest := time.Duration(0)
	for i := range a.journeys {
		j := &a.journeys[i]
		patience := j.Patience
		for s := range j.Steps {
			if j.Steps[s].Think != nil {
				patience += thinkAllowance
				break
			}
		}
		longest = max(longest, patience)
	}
	return longest
}

// scaled is a pacer played so many times as fast: the same shape, so many times
// the rate, in so much less time.
type scaled struct {
	loadgen.Pacer
	times float64
}

// String is for results.
func (s scaled) String() string {
	return fmt.Sprintf("%s, %g times as fast", pacer.Text(s.Pacer), s.times)
}

// Rate implements loadgen.Pacer.
func (s scaled) Rate(at time.Duration) float64 {
	return s.times * s.Pacer.Rate(time.Duration(float64(at)*s.times))
}

// Next implements loadgen.Pacer.
func (s scaled) Next(prev time.Duration, unit func() float64) time.Duration {
	next := s.Pacer.Next(time.Duration(float64(prev)*s.times), unit)
	if next == math.MaxInt64 {
		return next
	}
	return time.Duration(float64(next) / s.times)
}
