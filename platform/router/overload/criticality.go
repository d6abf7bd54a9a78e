package overload

import (
	"cmp"
	"fmt"
)

// Criticality is how much a request matters, as its caller says (Site
// Reliability Engineering, chapter 21, criticality). A higher one matters
// more.
type Criticality int

// The levels.
const (
	// Sheddable: may fail for hours.
	Sheddable Criticality = iota
	// SheddablePlus: may fail in part and be tried again later; batch work.
	SheddablePlus
	// Critical: users would notice. It is what a request is that does not say.
	Critical
	// CriticalPlus: users would suffer.
	CriticalPlus
	levels = int(CriticalPlus) + 1
)

// Metadata is the key under which a caller says the criticality. A service
// hands on what it was told to those it calls.
const Metadata = "bb-criticality"

// Level is a criticality with its name on the wire.
type Level struct {
	Criticality Criticality
	Name, About string
	// ShedAt is the pressure from which on the level is refused (ours; the
	// book orders the levels and leaves the thresholds to the service). That
	// of the highest is 1, at which a limiter refuses whatever the level: the
	// last twentieth of the places is kept for it, as telephone exchanges
	// reserve their last trunks.
	ShedAt float64
}

// Levels is every level there is, from the lowest.
var Levels = [levels]Level{
	{Sheddable, "SHEDDABLE", "may fail for hours", 0.5},
	{SheddablePlus, "SHEDDABLE_PLUS", "may fail now and be tried again later", 0.8},
	{Critical, "CRITICAL", "users would notice; what a request is that does not say", 0.95},
	{CriticalPlus, "CRITICAL_PLUS", "users would suffer", 1},
}

// ParseCriticality reads the metadata. What is not a level is Critical: a
// mistake in a name must not turn what matters into what may be dropped.
func ParseCriticality(name string) Criticality {
	for i := range Levels {
		if Levels[i].Name == name {
			return Levels[i].Criticality
		}
	}
	return Critical
}

func (c Criticality) String() string {
	if c < Sheddable || c > CriticalPlus {
		return fmt.Sprintf("Criticality(%d)", int(c))
	}
	return Levels[c].Name
}

// CriticalityConfig is the pressure from which on each level is refused. That
// is the share of the concurrency limit in use, or the probability with which
// admission control refuses, whichever is more.
type CriticalityConfig struct {
	Sheddable     float64 `yaml:"sheddable"`
	SheddablePlus float64 `yaml:"sheddable_plus"`
	Critical      float64 `yaml:"critical"`
}

// WithDefaults fills in what is zero.
func (c CriticalityConfig) WithDefaults() CriticalityConfig {
	c.Sheddable = cmp.Or(c.Sheddable, Levels[Sheddable].ShedAt)
	c.SheddablePlus = cmp.Or(c.SheddablePlus, Levels[SheddablePlus].ShedAt)
	c.Critical = cmp.Or(c.Critical, Levels[Critical].ShedAt)
	return c
}

// Validate says what is wrong, and what would be right.
func (c CriticalityConfig) Validate() error {
	if !(c.Sheddable > 0 && c.Sheddable <= c.SheddablePlus && c.SheddablePlus <= c.Critical && c.Critical <= 1) {
		return fmt.Errorf("0 < sheddable ≤ sheddable_plus ≤ critical ≤ 1 must hold of %v, %v, %v, or what matters less would be kept longer: such as %v, %v, %v",
			c.Sheddable, c.SheddablePlus, c.Critical, Levels[Sheddable].ShedAt, Levels[SheddablePlus].ShedAt, Levels[Critical].ShedAt)
	}
	return nil
}

// sheds says whether a level is refused at a pressure.
func (c CriticalityConfig) sheds(level Criticality, pressure float64) bool {
	switch level {
	case Sheddable:
		return pressure >= c.Sheddable
	case SheddablePlus:
		return pressure >= c.SheddablePlus
	case Critical:
		return pressure >= c.Critical
	case CriticalPlus:
	}
	return false
}
