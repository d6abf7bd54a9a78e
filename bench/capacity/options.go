package capacity

import (
	"errors"
	"fmt"
	"math"
	"time"

	"breakbank/bench/load"
)

// Defaults of a search.
const (
	DefaultStartPerS  = 100
	DefaultMaxPerS    = 200_000
	DefaultResolution = 0.05
	DefaultConfirm    = 20
	DefaultWarmUp     = time.Second
	DefaultPause      = 250 * time.Millisecond
)

const (
	// probeMin and probeMax bound the length of a probe that was left to be
	// chosen, without its warm-up.
	probeMin = 4 * time.Second
	probeMax = time.Minute
	// lengthMax bounds one that was asked for.
	lengthMax = time.Hour
	// beyond is how many requests are expected beyond the highest percentile of
	// the objective, in a probe whose length was left to be chosen: with 10, the
	// count that decides has a standard deviation of a third.
	beyond = 10
	// allowingMax bounds how many requests a probe is made longer for, so that one
	// failure is allowed; of ok>99.999% that would be very long.
	allowingMax = 10_000
	// pauseMax bounds what can be asked for.
	pauseMax = time.Minute
	// afterMiss is how many times longer the pause is after a probe that was too
	// much for the target: it may still be busy with what nobody waits for.
	afterMiss = 4
)

// Options say what to search, and how.
type Options struct {
	// Spec is the load, but for its rate, its length, its seed and its objective.
	Spec      load.Spec
	Objective Objective
	Plan      Plan
	// Probe is how long a probe is counted; 0 chooses for each rate, see length.
	// WarmUp is offered before it.
	Probe, WarmUp time.Duration
	// Pause is between the end of the last request of a probe and the next.
	Pause time.Duration
	// NoCurve leaves the curve out.
	NoCurve bool
	// Flags are what the program was started with, for the result.
	Flags []string
	// Progress is told of each probe, nil is nobody.
	Progress func(Progress)
}

// Progress is a probe that was made, and what is to come.
type Progress struct {
	Number int
	Probe  Probe
	// Left is about how long the rest takes.
	Left time.Duration
}

// Check says what is wrong with the options, before anything starts.
func (o *Options) Check() error {
	switch {
	case len(o.Objective.conditions) == 0:
		return errors.New("no objective")
	case o.Spec.Closed > 0:
		return errors.New("a closed loop has no rate: what it keeps up says nothing of what is asked for")
	case o.Spec.Pacer != "" && o.Spec.Pacer != "poisson" && o.Spec.Pacer != "constant":
		return fmt.Errorf("pacer %s: the rate of a probe must hold still; it can be poisson or constant", o.Spec.Pacer)
	case o.Probe < 0 || o.Probe > lengthMax || o.Probe > 0 && o.Probe < 100*time.Millisecond:
		return fmt.Errorf("a probe of %v: it can be 100ms to %v", o.Probe, lengthMax)
	case o.WarmUp < 0 || o.WarmUp > lengthMax:
		return fmt.Errorf("a warm-up of %v: it can be 0s to %v", o.WarmUp, lengthMax)
	case o.Pause < 0 || o.Pause > pauseMax:
		return fmt.Errorf("a pause of %v: it can be 0s to %v", o.Pause, pauseMax)
	}
	if err := o.Plan.Check(); err != nil {
		return err
	}
	if need, longest := o.Objective.requests(1), o.longest(); o.Plan.StartPerS*longest.Seconds() < surely(need) {
		return fmt.Errorf("starting with %g/s: in %v about %.0f requests are due, and it takes %.0f to be sure of the %d that %s needs; start higher, or probe longer",
			o.Plan.StartPerS, longest, o.Plan.StartPerS*longest.Seconds(), math.Ceil(surely(need)), need, o.Objective.Text)
	}
	return nil
}

// longest is how long a probe can be.
func (o *Options) longest() time.Duration {
	if o.Probe > 0 {
		return o.Probe
	}
	return probeMax
}

// length is how long a probe at a rate is counted: as was asked for, or
//
//   - 4 s,
//   - until a rate beyond the capacity shows. At (1+δ) times the capacity c, the
//     queue grows by δc a second, and with it the wait by δ: after T seconds it
//     takes δT to answer. So the objective p99 < b is missed from δ = b/T on, and
//     half of the resolution takes T = 2b / resolution,
//   - until there are enough requests for the highest percentile,
//   - and until one failure is no more than the objective allows,
//
// whichever is longest, up to a minute.
func (o *Options) length(perS float64) time.Duration {
	if o.Probe > 0 {
		return o.Probe
	}
	enough := float64(max(o.Objective.requests(beyond), min(o.Objective.allowing(), allowingMax))) / perS
	lasts := max(probeMin, o.showing(), time.Duration(enough*float64(time.Second)))
	return min(lasts, probeMax).Round(time.Millisecond)
}

// showing is how long it takes for half of a resolution beyond the capacity to
// show.
func (o *Options) showing() time.Duration {
	b, _ := o.Objective.bound()
	return time.Duration(2 * float64(b) / o.Plan.Resolution)
}

// lengthIn is how long a probe of a phase is counted. A point of the curve is not
// part of what was searched, and at the low end there is nothing to see without
// requests: it lasts longer than was asked for, up to a minute, if it must.
func (o *Options) lengthIn(phase Phase, perS float64) time.Duration {
	lasts := o.length(perS)
	if phase != Curve {
		return lasts
	}
	enough := time.Duration(surely(o.Objective.requests(1)) / perS * float64(time.Second))
	return max(lasts, min(enough.Round(time.Millisecond), probeMax))
}

// lowest is the lowest rate at which a probe can judge the objective at all.
func (o *Options) lowest() float64 {
	return max(o.Plan.MinPerS, math.Ceil(surely(o.Objective.requests(1))/o.longest().Seconds()))
}

// lowestOfCurve is that of a point of the curve.
func (o *Options) lowestOfCurve() float64 {
	return surely(o.Objective.requests(1)) / max(o.longest(), probeMax).Seconds()
}

// sigmas is by how many standard deviations the requests that are expected exceed
// those that are needed.
const sigmas = 3

// surely is how many arrivals must be expected so that n of them come, but for one
// time in several hundred: the standard deviation of a Poisson count of mean m is
// √m, so m = n + sigmas √m.
func surely(n int) float64 {
	root := (sigmas + math.Sqrt(sigmas*sigmas+4*float64(n))) / 2
	return root * root
}
