package loadgen

import (
	"encoding/binary"
	"fmt"
	"slices"
	"strings"
	"time"

	"breakbank/loadgen/transport"
)

// Journey is an index into the table of journeys of a load.
type Journey uint8

// journeysMax bounds a table of journeys.
const journeysMax = 64

// JourneySpec is a kind of thing that a load does: how often, how patiently, and
// by which calls.
type JourneySpec struct {
	// Name is the journey's name in every result.
	Name string
	// Weight is its share of the load; only the ratios count.
	Weight int
	// Patience counts from the intended time; pauses of the customer do not
	// count.
	Patience time.Duration
	// Write says that the journey changes something: out of patience, its
	// outcome is unknown; a read's is failed.
	Write bool
	// Steps are performed one after the other, until one decides.
	Steps []Step
	// Sends identifies what the steps send, as far as the arrival does not say it;
	// it is in the schedule's hash. Draws says that they draw some of it, by
	// Schedule.Drawn and Schedule.First: then these are too.
	Sends []byte
	Draws bool
	// Key, if not nil, is the idempotency key of a visit; it is in the record.
	Key func(s *Schedule, seq, retry int) string
	// Again, if not nil, says whether the customer tries once more, and how long
	// after the end of this try. It is asked after each try; v.Retry is how many
	// came before it.
	Again func(v *Visit, d Decision) (after time.Duration, again bool)
}

// appendIdentity appends to a schedule's canonical encoding what a journey sends.
func (j *JourneySpec) appendIdentity(buf []byte, s *Schedule) []byte {
	if len(j.Sends) == 0 {
		return buf
	}
	buf = AppendText(AppendText(buf, j.Name), string(j.Sends))
	if j.Draws {
		buf = binary.BigEndian.AppendUint64(buf, s.Drawn)
		buf = binary.BigEndian.AppendUint64(buf, uint64(s.First))
	}
	return buf
}

// Step is one call of a journey. The functions of a table are called from many
// goroutines at once, each with a visit of its own; they must not wait.
type Step struct {
	// Looks says that the step changes nothing, in a journey that does: until
	// another step, whatever happens leaves no doubt (Visit.Writing).
	Looks bool
	// Think, if not nil, is how long the customer pauses before the call.
	Think func(v *Visit) time.Duration
	// Build fills in the call: Head, Target, Shard, Extra, Request, ReplyMax.
	// What it does not set is zero; Turn and Deadline are set and may be changed.
	// An error ends the journey.
	Build func(v *Visit, c *transport.Call) error
	// Judge looks at a complete answer. The zero Decision lets the journey go on;
	// after the last step it means OK.
	Judge func(v *Visit, c *transport.Call) Decision
}

// Names are the names of journeys, in their order.
func Names(journeys []JourneySpec) []string {
	names := make([]string, len(journeys))
	for i := range journeys {
		names[i] = journeys[i].Name
	}
	return names
}

// Find is the journey with a name.
func Find(journeys []JourneySpec, name string) (Journey, error) {
	if i := slices.IndexFunc(journeys, func(j JourneySpec) bool { return j.Name == name }); i >= 0 {
		return Journey(i), nil
	}
	return 0, fmt.Errorf("no journey %q; the journeys are %s", name, strings.Join(Names(journeys), ", "))
}

// checkJourneys says what is wrong with a table.
func checkJourneys(journeys []JourneySpec) error {
	if len(journeys) == 0 || len(journeys) > journeysMax {
		return fmt.Errorf("%d journeys: a load has 1 to %d", len(journeys), journeysMax)
	}
	sum := 0
	for i := range journeys {
		j := &journeys[i]
		switch {
		case j.Weight < 0:
			return fmt.Errorf("the mix gives %s a weight of %d", j.Name, j.Weight)
		case j.Patience <= 0:
			return fmt.Errorf("%s has a patience of %v", j.Name, j.Patience)
		case j.Weight > 0 && len(j.Steps) == 0:
			return fmt.Errorf("%s has no steps", j.Name)
		}
		sum += j.Weight
	}
	if sum == 0 {
		return fmt.Errorf("no journey has a weight: %s", strings.Join(Names(journeys), ", "))
	}
	return nil
}
