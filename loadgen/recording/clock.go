package recording

import (
	"fmt"

	"breakbank/loadgen"
)

// Clock is one of the spans between the three times of a record.
//
//	intended ──send delay──> sent ──service──> done
//	intended ────────────response────────────> done
type Clock uint8

// The clocks. Response is the headline: it holds what the customer waited,
// whoever was to blame.
const (
	Response Clock = iota
	Service
	SendDelay

	clockCount = int(iota)
)

// Clocks lists all clocks.
var Clocks = [clockCount]Clock{Response, Service, SendDelay}

var clockNames = [clockCount]string{Response: "response", Service: "service", SendDelay: "send_delay"}

// String is the clock's name, as in response.hlog.
func (c Clock) String() string {
	if int(c) >= clockCount {
		return fmt.Sprintf("Clock(%d)", uint8(c))
	}
	return clockNames[c]
}

// Of is the span in nanoseconds, without the customer's own pauses. Failures and
// timeouts have the value they had reached. A journey that was never sent has
// none: it was dropped in no time, which must not look like a fast answer; it
// counts as failed instead.
func (c Clock) Of(r *loadgen.Record) (ns int64, ok bool) {
	if !r.Sent() {
		return 0, false
	}
	switch c {
	case Response:
		return r.DoneNs - r.IntendedNs - r.ThinkNs, true
	case Service:
		return r.DoneNs - r.SentNs - r.ThinkNs, true
	default:
		return r.SentNs - r.IntendedNs, true
	}
}
