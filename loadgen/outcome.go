package loadgen

import (
	"fmt"
	"strings"
)

// Outcome is how a journey ended. Each ends in exactly one (measurement.md,
// "Load").
type Outcome uint8

// The outcomes, in the order in which they are shown. The zero value is no
// outcome.
const (
	_        Outcome = iota
	OK               // served as it should be
	Degraded         // a fallback answered
	Declined         // a correct business no
	Failed           // an error, or a read out of patience
	Unknown          // a write that may have happened
)

// OutcomeCount is how large an array indexed by Outcome must be.
const OutcomeCount = int(Unknown) + 1

var outcomeNames = [OutcomeCount]string{
	OK: "ok", Degraded: "degraded", Declined: "declined", Failed: "failed", Unknown: "unknown",
}

// String is the outcome's name in every result.
func (o Outcome) String() string {
	if o == 0 || int(o) >= OutcomeCount {
		return fmt.Sprintf("Outcome(%d)", uint8(o))
	}
	return outcomeNames[o]
}

// MarshalText writes the outcome's name; no outcome is an error.
func (o Outcome) MarshalText() ([]byte, error) {
	if o == 0 || int(o) >= OutcomeCount {
		return nil, fmt.Errorf("%v is not an outcome", o)
	}
	return []byte(outcomeNames[o]), nil
}

// UnmarshalText reads an outcome's name.
func (o *Outcome) UnmarshalText(text []byte) error {
	for i := 1; i < OutcomeCount; i++ {
		if outcomeNames[i] == string(text) {
			*o = Outcome(i)
			return nil
		}
	}
	return fmt.Errorf("no outcome %q; the outcomes are %s", text, strings.Join(outcomeNames[1:], ", "))
}
