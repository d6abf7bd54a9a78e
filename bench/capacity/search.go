package capacity

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
)

// Outcome is what a probe said.
type Outcome uint8

// Outcomes.
const (
	// Met and Missed are of the objective.
	Met Outcome = iota + 1
	Missed
	// Invalid: the generator could not offer what was to be offered, so that
	// nothing is known of the target.
	Invalid
)

var outcomeNames = [...]string{Met: "met", Missed: "missed", Invalid: "invalid"}

// String is the outcome in a word.
func (o Outcome) String() string { return outcomeNames[o] }

// MarshalText implements encoding.TextMarshaler.
func (o Outcome) MarshalText() ([]byte, error) { return []byte(o.String()), nil }

// UnmarshalText implements encoding.TextUnmarshaler.
func (o *Outcome) UnmarshalText(text []byte) error {
	i := slices.Index(outcomeNames[:], string(text))
	if i < int(Met) {
		return fmt.Errorf("outcome %q is none", text)
	}
	*o = Outcome(i)
	return nil
}

// Phase is what a probe is for.
type Phase string

// The phases of a search, and of what follows it.
const (
	Climb   Phase = "climb"
	Narrow  Phase = "narrow"
	Confirm Phase = "confirm"
	Curve   Phase = "curve"
)

// Plan is how to search.
type Plan struct {
	// StartPerS is tried first. MinPerS and MaxPerS bound what is tried at all.
	StartPerS, MinPerS, MaxPerS float64
	// Resolution is the ratio, less 1, down to which rates are told apart.
	Resolution float64
	// ConfirmMax bounds the probes around what was found.
	ConfirmMax int
	// Seed decides the order of those.
	Seed uint64
}

// Bounds of a plan.
const (
	ResolutionMin = 0.005
	ResolutionMax = 0.5
	confirmLimit  = 1000
	rateLimit     = 10_000_000
)

// Check says what is wrong with a plan.
func (p *Plan) Check() error {
	switch {
	case !(p.MinPerS > 0 && p.MinPerS <= p.StartPerS && p.StartPerS <= p.MaxPerS && p.MaxPerS <= rateLimit):
		return fmt.Errorf("rates from %g to %g/s, starting with %g: they must rise from above 0 to at most %d",
			p.MinPerS, p.MaxPerS, p.StartPerS, rateLimit)
	case !(p.Resolution >= ResolutionMin && p.Resolution <= ResolutionMax):
		return fmt.Errorf("a resolution of %g %%: it can be %g %% to %g %%", 100*p.Resolution, 100*ResolutionMin, 100*ResolutionMax)
	case p.ConfirmMax < confirmBlock || p.ConfirmMax > confirmLimit:
		return fmt.Errorf("%d probes to confirm: there can be %d to %d", p.ConfirmMax, confirmBlock, confirmLimit)
	}
	return nil
}

// trial is a probe that was made.
type trial struct {
	phase   Phase
	perS    float64
	outcome Outcome
}

// Search finds a capacity. It has no clock and sends nothing:
//
//	for ask, more := s.Next(); more; ask, more = s.Next() {
//		s.Tell(probe(ask))
//	}
//
// One goroutine uses it.
type Search struct {
	plan   Plan
	rng    *rand.Rand
	phase  Phase
	asked  float64
	ballot []Outcome // of the rate that is asked for, in climb and narrow
	trials []trial

	// met is the highest rate known to meet the objective, 0 if none is; over is
	// the lowest known not to, 0 if none is, and limit why.
	met, over float64
	limit     Outcome

	belief    *belief
	from, to  float64 // that the belief is spread over
	queue     []float64
	confirmed int // probes of the phase that said something
	unsaid    int // and those that did not
	done      bool
}

// NewSearch begins one. The plan must be sound.
func NewSearch(p Plan) *Search {
	return &Search{plan: p, rng: rand.New(rand.NewPCG(p.Seed, 1)), phase: Climb, asked: round(p.StartPerS)}
}

// Next is the probe to be made, if there is one.
func (s *Search) Next() (phase Phase, perS float64, more bool) { return s.phase, s.asked, !s.done }

// Tell takes the outcome of the probe that Next asked for.
func (s *Search) Tell(o Outcome) {
	s.trials = append(s.trials, trial{s.phase, s.asked, o})
	if s.phase == Confirm {
		s.confirm(o)
		return
	}
	s.ballot = append(s.ballot, o)
	decided, sure := s.decide()
	if !sure {
		return // The same rate again.
	}
	s.ballot = s.ballot[:0]
	if decided == Met {
		s.met = s.asked
	} else {
		s.over, s.limit = s.asked, decided
	}
	s.advance()
}

// ballotMax is how often a rate is tried at most while the bracket is being found.
const ballotMax = 5

// decide says what the probes of a rate have said together.
//
// One that meets the objective is enough, since a target does not do so by
// accident at a rate that is far beyond it. One that misses it may be an accident
// of the machine, which would end a climb far too low: it takes two against one.
// While narrowing an accident costs less than trying everything twice, since what
// confirms it finds out. A generator that is the limit at a rate always is; one
// that was disturbed is not: it takes three.
func (s *Search) decide() (o Outcome, sure bool) {
	var n [Invalid + 1]int
	for _, o := range s.ballot {
		n[o]++
	}
	switch {
	case n[Met] >= 2, n[Met] == 1 && n[Missed] == 0:
		return Met, true
	case n[Missed] >= 2, n[Missed] == 1 && n[Met] == 0 && s.phase == Narrow:
		return Missed, true
	}
	return Invalid, n[Invalid] >= 3
}

// advance chooses the next rate of climb and narrow, or goes on to confirm.
func (s *Search) advance() {
	const factor = 2
	switch {
	case s.over == 0 && s.met >= round(s.plan.MaxPerS):
		s.done = true // As far as was asked for.
	case s.over == 0:
		s.ask(min(s.met*factor, s.plan.MaxPerS))
	case s.met == 0 && s.over <= round(s.plan.MinPerS):
		s.done = true // Nothing meets it.
	case s.met == 0:
		s.ask(max(s.over/factor, s.plan.MinPerS))
	case s.over/s.met <= 1+s.plan.Resolution:
		s.settle()
	default:
		s.phase = Narrow
		s.ask(math.Sqrt(s.over * s.met))
		if s.asked <= s.met || s.asked >= s.over {
			s.settle() // Rounded rates are no finer.
		}
	}
}

// settle begins to confirm, unless it is the generator that ended the search.
func (s *Search) settle() {
	if s.limit == Invalid {
		s.done = true
		return
	}
	s.phase = Confirm
	s.spread(s.met, s.over)
	s.fill()
}

func (s *Search) ask(perS float64) { s.asked = round(perS) }

// margin is how far beyond the bracket, as a factor, the belief is spread, and
// how much further when it comes to its edge.
const margin = 2

// spread makes a belief over the rates around a bracket, from all probes.
func (s *Search) spread(from, to float64) {
	s.from, s.to = from/margin, to*margin
	s.belief = newBelief(s.from, s.to, s.plan.Resolution)
	for _, t := range s.trials {
		if t.outcome != Invalid {
			s.belief.learn(t.perS, t.outcome == Met)
		}
	}
}

// confirmBlock is how many probes are chosen at a time, at these quantiles of the
// belief.
const confirmBlock = 5

var confirmAt = [confirmBlock]float64{0.1, 0.3, 0.5, 0.7, 0.9}

// fill chooses a block of probes around the capacity, in random order, so that a
// target which warms up or tires is not taken for one that is better or worse at
// some rate. They are as far apart as the belief is wide, but at least a
// resolution from the first to the last: closer, the rates would differ by less
// than the arrivals of two draws do.
func (s *Search) fill() {
	rates := s.belief.quantiles(confirmAt[:]...)
	middle := rates[confirmBlock/2]
	for i, p := range confirmAt {
		least := math.Pow(1+s.plan.Resolution, (p-0.5)/(confirmAt[confirmBlock-1]-confirmAt[0]))
		if p < 0.5 {
			rates[i] = min(rates[i], middle*least)
		} else {
			rates[i] = max(rates[i], middle*least)
		}
	}
	s.rng.Shuffle(len(rates), func(i, k int) { rates[i], rates[k] = rates[k], rates[i] })
	s.queue = rates
	s.pop()
}

func (s *Search) pop() {
	s.ask(min(max(s.queue[0], s.plan.MinPerS), s.plan.MaxPerS))
	s.queue = s.queue[1:]
}

// confirm takes the outcome of a probe around the capacity. One that says nothing
// is made again later, as long as there are not more of them than of the others.
func (s *Search) confirm(o Outcome) {
	if o == Invalid {
		s.unsaid++
		s.queue = append(s.queue, s.asked)
	} else {
		s.confirmed++
		s.belief.learn(s.asked, o == Met)
	}
	switch {
	case s.confirmed >= s.plan.ConfirmMax, s.unsaid > s.confirmed && s.unsaid > confirmBlock:
		s.done = true
	case len(s.queue) > 0:
		s.pop()
	default:
		s.again()
	}
}

// again is after a block: enough, or one more.
func (s *Search) again() {
	e := s.estimate()
	edge := 1 + s.plan.Resolution
	switch {
	case e.Low < s.from*edge || e.High > s.to/edge:
		// The bracket was an accident: look further.
		s.spread(min(s.from, e.Low), max(s.to, e.High))
	case s.confirmed >= 2*confirmBlock && e.High/e.Low <= edge:
		s.done = true
		return
	}
	s.fill()
}

// round rounds a rate to four digits, so that it can be said.
func round(perS float64) float64 {
	unit := math.Pow(10, math.Floor(math.Log10(perS))-digits+1)
	if unit < 1 { // Its inverse is exact.
		inverse := math.Round(1 / unit)
		return math.Round(perS*inverse) / inverse
	}
	return math.Round(perS/unit) * unit
}

// digits of a rate.
const digits = 4

// Left is about how many probes there are to come: at most, once the bracket is
// known.
func (s *Search) Left() int {
	if s.done {
		return 0
	}
	left := s.plan.ConfirmMax - s.confirmed
	if s.phase == Confirm {
		return left
	}
	ratio := 2.0
	if s.met > 0 && s.over > 0 {
		ratio = s.over / s.met
	} else {
		left += 2 // another step of the climb, and the miss once more
	}
	if steps := math.Log2(math.Log(ratio) / math.Log1p(s.plan.Resolution)); steps > 0 {
		left += int(math.Ceil(steps))
	}
	return left
}
