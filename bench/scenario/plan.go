package scenario

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"time"
)

// Plan is a scenario laid out on the real clock for one pace.
type Plan struct {
	Scenario *Scenario
	// Pace is paced seconds a real second.
	Pace float64
	// ClockStart is the time of the day, since midnight, at which the clock and
	// the main load start.
	ClockStart time.Duration
	Steps      []Planned
	// Aftermath is the real time to go on after the last step.
	Aftermath time.Duration
}

// Planned is a step with the real time at which it is due.
type Planned struct {
	Step
	// Due counts from the start of the clock; it is meant only for steps
	// OnTheClock.
	Due time.Duration
	// Skipped steps are left out by --without; they open their phase all the
	// same, so that runs with and without them compare phase by phase.
	Skipped bool
}

// Plan lays the script out. It refuses a pace that leaves a phase less real
// time than it needs, and names in without that are neither a step's id nor a
// mechanism.
func (s *Scenario) Plan(pace float64, without []string) (*Plan, error) {
	if !(pace > 0) || math.IsInf(pace, 0) {
		return nil, fmt.Errorf("pace %v: a pace is paced seconds a real second, more than 0", pace)
	}
	if err := s.checkWithout(without); err != nil {
		return nil, err
	}
	p := &Plan{Scenario: s, Pace: pace, Steps: make([]Planned, 0, len(s.Steps))}
	first := slices.IndexFunc(s.Steps, func(step Step) bool { return step.At.Kind == OnTheClock })
	p.ClockStart = s.Steps[first].At.Clock
	for _, step := range s.Steps {
		planned := Planned{Step: step, Skipped: dropped(step, without)}
		if step.At.Kind == OnTheClock {
			planned.Due = p.Real(step.At.Clock - p.ClockStart)
		}
		p.Steps = append(p.Steps, planned)
	}
	last := s.Steps[len(s.Steps)-1]
	p.Aftermath = p.Real(time.Duration(last.Args.Minutes * float64(time.Minute)))
	return p, p.checkPace()
}

// Real turns a time of the script into real time.
func (p *Plan) Real(paced time.Duration) time.Duration {
	return time.Duration(float64(paced) / p.Pace)
}

// Paced turns real time into time of the script.
func (p *Plan) Paced(actual time.Duration) time.Duration {
	return time.Duration(float64(actual) * p.Pace)
}

// PhaseLengths is the real length of each phase as the script has it. Phases
// whose length only the run decides, before the clock and while it stands
// still, are not in it.
func (p *Plan) PhaseLengths() map[string]time.Duration {
	lengths := make(map[string]time.Duration)
	open := ""
	var from time.Duration
	for _, step := range p.Steps {
		if step.Opens == "" {
			continue
		}
		if open != "" && step.At.Kind == OnTheClock {
			lengths[open] = step.Due - from
		}
		open = ""
		if step.At.Kind == OnTheClock {
			open, from = step.Opens, step.Due
		}
	}
	last := p.Steps[len(p.Steps)-1]
	switch {
	case last.At.Kind == OnceLive && last.Opens != "":
		lengths[last.Opens] = p.Aftermath
	case last.At.Kind == OnTheClock && open != "":
		lengths[open] = last.Due - from + p.Aftermath
	}
	return lengths
}

// LastDue is when the last step that has a time is due.
func (p *Plan) LastDue() time.Duration {
	due := time.Duration(0)
	for _, step := range p.Steps {
		due = max(due, step.Due)
	}
	return due
}

// MainMax is the longest real time that the main load may be needed for when
// every step is on time: the script, a full wait for live routers, and the
// aftermath.
func (p *Plan) MainMax() time.Duration {
	total := p.Aftermath
	for _, step := range p.Steps {
		switch step.At.Kind {
		case OnTheClock:
			total = max(total, step.Due+p.Aftermath)
		case OnceLive:
			total += RecoverMax
		}
	}
	return total
}

// checkPace refuses a pace at which a phase would be over before what happens
// in it can happen.
func (p *Plan) checkPace() error {
	lengths := p.PhaseLengths()
	highest := math.Inf(1)
	var short []string
	for _, phase := range p.Scenario.Phases {
		length, ok := lengths[phase.Name]
		if !ok || phase.Min == 0 {
			continue
		}
		highest = min(highest, p.Pace*float64(length)/float64(phase.Min))
		// A nanosecond of rounding is no reason.
		if length+time.Microsecond < phase.Min {
			short = append(short, fmt.Sprintf("phase %s would last %.2f s and needs %.2f s (%s)",
				phase.Name, length.Seconds(), phase.Min.Seconds(), phase.Needs))
		}
	}
	if len(short) > 0 {
		return fmt.Errorf("pace %g is too fast for %s: %s; the highest pace is %g",
			p.Pace, p.Scenario.Name, strings.Join(short, ", "), math.Floor(highest*10)/10)
	}
	return nil
}

func (s *Scenario) checkWithout(without []string) error {
	var ids []string
	for _, step := range s.Steps {
		if step.Verb.Form != fullLoadForm && step.Verb.Form != aftermathForm {
			ids = append(ids, step.ID)
		}
	}
	mechanisms := s.Mechanisms()
	for _, name := range without {
		if !slices.Contains(ids, name) && !slices.Contains(mechanisms, name) {
			return fmt.Errorf("--without %s: no such step or mechanism in %s; mechanisms: %s; steps: %s",
				name, s.Name, strings.Join(mechanisms, ", "), strings.Join(ids, ", "))
		}
	}
	return nil
}

func dropped(step Step, without []string) bool {
	if slices.Contains(without, step.ID) {
		return true
	}
	return slices.ContainsFunc(step.Mechanisms, func(tag string) bool { return slices.Contains(without, tag) })
}
