package customers

import (
	"slices"
	"time"

	"breakbank/loadgen"
)

// Retries is what customers do when a journey has failed, or no answer came. A
// business no ends it: that is an answer.
//
// Whoever holds the card to the terminal again asks for another payment, with a
// key of its own: the bank owes it nothing if the first one comes to pass after
// all. A phone resends what it has, under the key it had.
type Retries struct {
	// Taps is how often a card is held to the terminal again at most. TapShare
	// is the share of customers who do that each time; the others pay in cash,
	// or go. TapAfter is the mean of the pause before it, which is evenly spread
	// from half to one and a half of that.
	Taps     int
	TapShare float64
	TapAfter time.Duration
	// Resends is how often a phone or the staff's screen tries again at most.
	// The pause is drawn evenly from nothing to ResendBase at first, to twice as
	// much each time, to ResendMax at the most ("full jitter": Brooker 2015,
	// "Exponential Backoff And Jitter").
	Resends               int
	ResendBase, ResendMax time.Duration
}

// UsualRetries are retries as we assume them; nothing is published on how often
// people try again.
var UsualRetries = Retries{
	Taps: 2, TapShare: 0.6, TapAfter: 6 * time.Second,
	Resends: 3, ResendBase: time.Second, ResendMax: 8 * time.Second,
}

// Lasts is for how long a journey of a table and its retries are under way, on
// average over its weights, where no request is ever answered; pauses of the
// customer included. By Little's law, as many times the rate are then under way
// at once: what a cap on them must be made for.
func (r Retries) Lasts(journeys []loadgen.JourneySpec) time.Duration {
	total, weights := time.Duration(0), 0
	for i := range journeys {
		j := loadgen.Journey(i)
		lasts := journeys[i].Patience
		if j == PaySession {
			lasts += thinkMean
		}
		switch {
		case isTap(j):
			lasts += time.Duration(r.Taps) * (lasts + r.TapAfter)
		case isScreen(j):
			lasts += time.Duration(r.Resends) * (lasts + r.ResendMax)
		}
		total += time.Duration(journeys[i].Weight) * lasts
		weights += journeys[i].Weight
	}
	return total / time.Duration(max(weights, 1))
}

func isTap(j loadgen.Journey) bool { return j == CardTap || j == PrepaidTap }

func isScreen(j loadgen.Journey) bool {
	return j == AppRefresh || j == TransferOut || j == PaySession || j == CopsLookup
}

// WithRetries is a copy of a table, like Journeys, in which customers try again.
// Faster Payments does not: what is sent to the bank stays with the sender's.
func WithRetries(journeys []loadgen.JourneySpec, r Retries) []loadgen.JourneySpec {
	table := slices.Clone(journeys)
	for i := range table {
		switch j := loadgen.Journey(i); {
		case isTap(j):
			table[i].Again = r.tapAgain
		case isScreen(j):
			table[i].Again = r.resend
		}
	}
	return table
}

func (r Retries) tapAgain(v *loadgen.Visit, d loadgen.Decision) (after time.Duration, again bool) {
	if !asksForMore(d) || v.Retry >= r.Taps {
		return 0, false
	}
	random := v.Rand()
	if random.Float64() >= r.TapShare {
		return 0, false
	}
	return time.Duration((0.5 + random.Float64()) * float64(r.TapAfter)), true
}

func (r Retries) resend(v *loadgen.Visit, d loadgen.Decision) (after time.Duration, again bool) {
	if !asksForMore(d) || v.Retry >= r.Resends {
		return 0, false
	}
	most := min(r.ResendBase<<v.Retry, r.ResendMax)
	return time.Duration(v.Rand().Float64() * float64(most)), true
}

// asksForMore says whether a customer who was told this may try again. What the
// generator itself did not send was nobody's failure.
func asksForMore(d loadgen.Decision) bool {
	switch d.Code {
	case loadgen.CodeDropped, loadgen.CodeLate, loadgen.CodeUnbuilt:
		return false
	}
	return d.Outcome == loadgen.Failed || d.Outcome == loadgen.Unknown
}
