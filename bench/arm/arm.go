// Package arm reads the arms that a script is played with: how the routers are
// configured, what API servers' etcd clients are like, and how stand-in is
// reached. An arm is a YAML file, or another arm with a policy more or less;
// those that come with breakbank lie in bench/arms, and users write their own.
package arm

import (
	"fmt"
	"slices"
	"strings"
	"time"

	bankv1 "breakbank/proto/bank/v1"
)

// Fallbacks are the paths to stand-in.
var Fallbacks = []string{FallbackNone, FallbackRouted, FallbackIndependent}

// The paths to stand-in: not at all, by name through the node's router, or at
// its fixed address past the router.
const (
	FallbackNone        = "none"
	FallbackRouted      = "routed"
	FallbackIndependent = "independent"
)

// FallbackModes are the paths as the card edge is told them.
var FallbackModes = map[string]bankv1.FallbackMode{
	FallbackNone:        bankv1.FallbackMode_FALLBACK_MODE_NONE,
	FallbackRouted:      bankv1.FallbackMode_FALLBACK_MODE_ROUTED,
	FallbackIndependent: bankv1.FallbackMode_FALLBACK_MODE_INDEPENDENT,
}

// Standins say when stand-in begins to be asked.
var Standins = []string{StandinOnSwitch, StandinFromStart}

// Stand-in is asked only after an operator switched it on, or on any failure
// of the primary from the start.
const (
	StandinOnSwitch  = "on-switch"
	StandinFromStart = "from-start"
)

// EtcdClients are the kinds of etcd client that an API server may have: the
// one of 2017, which stays on one connection, and today's.
var EtcdClients = []string{"pinned", "modern"}

// Arm is one way of finding servers. It is not changed after reading.
type Arm struct {
	Name        string
	Description string
	// Imitates says which public system it is an imitation of.
	Imitates string
	// Router is the routers' configuration as YAML, for the ConfigMap.
	Router     string
	EtcdClient string
	Fallback   string
	Standin    string
	// Constants are the arm's times, with their sources.
	Constants []Constant

	// settings is Router before it became text, for arms made of this one.
	settings settings
}

// Constant is a time of the arm that does not scale with the pace.
type Constant struct {
	// Name is a path into the router's configuration, such as
	// retries.window, or the name of a constant in the code.
	Name  string
	Value time.Duration
	// ActsIn names the phases it makes a difference in; nil stands for all.
	ActsIn []string
	Source string
	// Policy is the one that the constant comes with; "" is the arm itself.
	Policy string
}

// WithFallback is the arm with another path to stand-in; "" changes nothing.
// An independent stand-in answers whenever the primary cannot, without anyone
// switching it on: that is the reading of the public record under which the
// vast majority of payments succeeded throughout (incident.md).
func (a *Arm) WithFallback(fallback string) (*Arm, error) {
	if fallback == "" {
		return a, nil
	}
	if !slices.Contains(Fallbacks, fallback) {
		return nil, fmt.Errorf("unknown fallback %q; valid: %s", fallback, strings.Join(Fallbacks, ", "))
	}
	other := *a
	other.Fallback = fallback
	if fallback == FallbackIndependent {
		other.Standin = StandinFromStart
	}
	return &other, nil
}

// FallbackFromStart says whether stand-in is asked without being switched on.
func (a *Arm) FallbackFromStart() bool {
	return a.Standin == StandinFromStart && a.Fallback != FallbackNone
}

// Illustrative names each constant that, times the pace, exceeds a phase it
// acts in, which is when it is longer than the phase is in real time: there
// the paced run distorts what the incident would have shown. phases are real
// lengths, in the order of names.
func (a *Arm) Illustrative(pace float64, names []string, phases map[string]time.Duration) []string {
	reasons := []string{}
	for _, c := range a.Constants {
		var exceeded []string
		for _, phase := range names {
			length, known := phases[phase]
			if known && c.Value > length && (c.ActsIn == nil || slices.Contains(c.ActsIn, phase)) {
				exceeded = append(exceeded, fmt.Sprintf("%s (%v)", phase, scale(length, pace)))
			}
		}
		if len(exceeded) > 0 {
			reasons = append(reasons, fmt.Sprintf("%s %v × pace %g = %v exceeds %s",
				c.Name, c.Value, pace, scale(c.Value, pace), strings.Join(exceeded, ", ")))
		}
	}
	return reasons
}

func scale(d time.Duration, pace float64) time.Duration {
	return time.Duration(float64(d) * pace).Round(time.Second)
}
