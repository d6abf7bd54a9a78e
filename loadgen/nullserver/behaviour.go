package nullserver

import (
	"math"
	"slices"
	"time"

	"google.golang.org/grpc/codes"
)

// Behaviour says what becomes of the n-th call, counted from 0 in the order of
// arrival, that arrives at some time since the zero of the server's clock: how
// long its answer takes from then on, and its gRPC status. It is a pure function,
// called by many goroutines at once: what it says beforehand (Truth) is what a
// server does.
type Behaviour func(n int64, at time.Duration) Answer

// Answer is what becomes of a call.
type Answer struct {
	Takes time.Duration
	Code  codes.Code
}

// Stall answers nothing during the last part, of some length, of each period.
// Who calls meanwhile is answered at its end; everyone else, at once.
//
//	takes  |\         |\
//	       | \        | \
//	_______|  \_______|  \__ at
//	        length
//	       <-- period ->
//
// What a customer who comes at any time must expect is thus known, and most of
// it is never felt by a caller that waits for one answer before it asks again.
func Stall(length, period time.Duration) Behaviour {
	return func(_ int64, at time.Duration) Answer {
		phase := at % period
		if phase < 0 {
			phase += period
		}
		if phase < period-length {
			return Answer{}
		}
		return Answer{Takes: period - phase}
	}
}

// Bimodal takes one time for most calls, and another for a share of them, evenly
// spread by their numbers.
func Bimodal(most, some time.Duration, share Share) Behaviour {
	return func(n int64, _ time.Duration) Answer {
		if share.has(n) {
			return Answer{Takes: some}
		}
		return Answer{Takes: most}
	}
}

// Failing answers at once, and a share of the calls, evenly spread by their
// numbers, with a status.
func Failing(share Share, code codes.Code) Behaviour {
	return func(n int64, _ time.Duration) Answer {
		if share.has(n) {
			return Answer{Code: code}
		}
		return Answer{}
	}
}

// Share is a part of all calls in millionths, so that it is exact.
type Share int64

// Whole is all calls, and a percent of them.
const (
	Whole   Share = 1_000_000
	Percent       = Whole / 100
)

// has says whether call n is among the share: of any N calls in a row, N times
// the share are, up to one. Of one percent it is every hundredth.
func (s Share) has(n int64) bool {
	return (n+1)*int64(s)/int64(Whole) != n*int64(s)/int64(Whole)
}

// Truth is what becomes of calls that arrive at these times, in their order,
// after the first of them was due at start on the server's clock: what an
// observer without any delay of its own would report. It holds where the calls
// reach the server in their order, or where their numbers do not matter.
func (b Behaviour) Truth(arrivals []time.Duration, start time.Duration) []Answer {
	answers := make([]Answer, len(arrivals))
	for n, at := range arrivals {
		answers[n] = b(int64(n), start+at)
	}
	return answers
}

// Distribution is the times of answers from the shortest to the longest.
type Distribution []time.Duration

// Times are the distribution of answers, whatever their status.
func Times(answers []Answer) Distribution {
	d := make(Distribution, len(answers))
	for i := range answers {
		d[i] = answers[i].Takes
	}
	slices.Sort(d)
	return d
}

// At is the quantile q by the nearest rank: the smallest time that at least the
// share q of all do not exceed. Of no answers it is 0.
func (d Distribution) At(q float64) time.Duration {
	if len(d) == 0 {
		return 0
	}
	const rounding = 1e-9
	rank := int(math.Ceil(q*float64(len(d)) - rounding))
	return d[min(max(rank, 1), len(d))-1]
}

// Bounds of what decides a quantile.
const (
	// decideMin is the shortest time that says anything of a generator: of less,
	// a hundredth is what a machine takes to carry a call to and fro.
	decideMin = 20 * time.Millisecond
	// decideBeside is for how many calls beside a quantile the truth must be the
	// same but for decideChange: rules for ranks differ by one, and a call that
	// is due where the truth changes may come just before or after.
	decideBeside = 2
	decideChange = 0.01
)

// Decides says whether the truth has one value for a quantile that a generator
// can be held to: it is neither next to nothing, nor on the edge between two
// values, where a single call more or less tells which is right, nor beyond what
// so few calls can tell.
func (d Distribution) Decides(q float64) bool {
	at := d.At(q)
	if at < decideMin || float64(len(d))*(1-q) < 1 {
		return false
	}
	near := func(other time.Duration) bool {
		return math.Abs(float64(other-at)) <= decideChange*float64(at)
	}
	beside := decideBeside / float64(len(d))
	return near(d.At(q-beside)) && near(d.At(q+beside))
}

// Failures is how many answers have a status other than OK.
func Failures(answers []Answer) (n int) {
	for i := range answers {
		if answers[i].Code != codes.OK {
			n++
		}
	}
	return n
}
