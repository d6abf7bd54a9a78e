package scenario

import (
	"slices"
	"strconv"
	"strings"
	"time"

	"breakbank/bench/document"
)

// file is a scenario as it is written.
type file struct {
	Name     document.Text `yaml:"name"`
	About    document.Text `yaml:"about"`
	Members  document.Text `yaml:"members"`
	Pace     document.Text `yaml:"pace"`
	RatePerS document.Text `yaml:"rate_per_s"`
	Phases   []struct {
		Name  document.Text `yaml:"name"`
		MinS  document.Text `yaml:"min_s"`
		Needs document.Text `yaml:"needs"`
	} `yaml:"phases"`
	Steps []struct {
		ID        document.Text  `yaml:"id"`
		At        document.Text  `yaml:"at"`
		Do        document.Text  `yaml:"do"`
		Opens     document.Text  `yaml:"opens"`
		Mechanism document.Texts `yaml:"mechanism"`
	} `yaml:"steps"`
}

// Parse reads a scenario. The error lists everything that was refused, one
// line each, with the file's name as given.
func Parse(name string, data []byte, targets Targets) (*Scenario, error) {
	var f file
	if err := document.Decode(name, data, &f); err != nil {
		return nil, err
	}
	p := parser{refusals: document.Refusals{File: name}, targets: targets}
	s := p.scenario(&f)
	if err := p.refusals.Err(); err != nil {
		return nil, err
	}
	return s, nil
}

type parser struct {
	refusals document.Refusals
	targets  Targets
}

func (p *parser) scenario(f *file) *Scenario {
	s := &Scenario{
		Name: f.Name.Value, About: f.About.Value,
		Members:  int(p.number(f.Members, "members", 3, MembersMax)),
		Pace:     p.number(f.Pace, "pace", 1, 3600),
		RatePerS: p.number(f.RatePerS, "rate_per_s", 1, 1e6),
	}
	if s.Name == "" {
		p.refusals.Add(f.Name.Line, "a name such as monzo-2017", "the scenario has no name")
	}
	for _, phase := range f.Phases {
		minS := 0.0
		if phase.MinS.Value != "" {
			minS = p.number(phase.MinS, "min_s", 0, 3600)
		}
		if slices.Contains(s.PhaseNames(), phase.Name.Value) {
			p.refusals.Add(phase.Name.Line, "", "phase %q is declared twice", phase.Name.Value)
		}
		s.Phases = append(s.Phases, Phase{
			Name: phase.Name.Value, Min: time.Duration(minS * float64(time.Second)), Needs: phase.Needs.Value,
		})
	}
	lines := make(map[string]int, len(f.Steps))
	for _, written := range f.Steps {
		step := Step{ID: written.ID.Value, Do: written.Do.Value, Opens: written.Opens.Value, Line: written.Do.Line}
		if step.Line == 0 {
			step.Line = max(written.ID.Line, written.At.Line)
		}
		p.id(s, written.ID, step.Line, lines)
		for _, tag := range written.Mechanism {
			step.Mechanisms = append(step.Mechanisms, tag.Value)
		}
		if at, ok := parseAt(written.At.Value); ok {
			step.At = at
			p.order(s, step, written.At.Line)
		} else {
			p.refusals.Add(max(written.At.Line, written.ID.Line), validTimes, "step %s: %q is no time", step.ID, written.At.Value)
			step.At = At{Kind: -1}
		}
		var bad *badStep
		if step.Verb, step.Args, bad = parseStep(step.Do, p.targets); bad != nil {
			p.refusals.Add(step.Line, bad.valid, "step %s: %s", step.ID, bad.wrong)
		}
		p.opens(s, step, written.Opens.Line)
		s.Steps = append(s.Steps, step)
	}
	p.whole(s, f)
	return s
}

func (p *parser) number(t document.Text, field string, low, high float64) float64 {
	n, err := strconv.ParseFloat(t.Value, 64)
	if err != nil || !(n >= low && n <= high) {
		valid := "a number from " + strconv.FormatFloat(low, 'f', -1, 64) + " to " + strconv.FormatFloat(high, 'f', -1, 64)
		p.refusals.Add(t.Line, valid, "%s is %q", field, t.Value)
	}
	return n
}

func (p *parser) id(s *Scenario, id document.Text, line int, lines map[string]int) {
	switch {
	case id.Value == "":
		p.refusals.Add(line, "an id of its own", "a step has no id")
	case lines[id.Value] != 0:
		p.refusals.Add(id.Line, "an id of its own", "step id %q is taken by the step on line %d", id.Value, lines[id.Value])
	}
	lines[id.Value] = max(id.Line, 1)
}

// order refuses a step that is due before the one above it.
func (p *parser) order(s *Scenario, step Step, line int) {
	if len(s.Steps) == 0 {
		return
	}
	before := s.Steps[len(s.Steps)-1]
	if before.At.Kind >= 0 && !before.At.precedes(step.At) {
		p.refusals.Add(line, before.At.Words+" or later", "step %s is due at %s, before the step above it, %s, at %s",
			step.ID, step.At.Words, before.ID, before.At.Words)
	}
}

// opens refuses a phase that is not declared, or not the next one.
func (p *parser) opens(s *Scenario, step Step, line int) {
	if step.Opens == "" {
		return
	}
	if !slices.Contains(s.PhaseNames(), step.Opens) {
		p.refusals.Add(line, strings.Join(s.PhaseNames(), ", "), "step %s opens the unknown phase %q", step.ID, step.Opens)
		return
	}
	opened := 0
	for _, earlier := range s.Steps {
		if earlier.Opens != "" {
			opened++
		}
	}
	if opened >= len(s.Phases) || s.Phases[opened].Name != step.Opens {
		next := "no phase, all are open"
		if opened < len(s.Phases) {
			next = s.Phases[opened].Name
		}
		p.refusals.Add(line, next, "step %s opens phase %q out of the order in which phases are declared", step.ID, step.Opens)
	}
}

// whole refuses a script that lacks what every replay needs.
func (p *parser) whole(s *Scenario, f *file) {
	if len(s.Steps) == 0 {
		p.refusals.Add(f.Name.Line, "steps with id, at and do", "the scenario has no steps")
		return
	}
	opened := make(map[string]bool)
	loads, firstOnClock := 0, -1
	for i, step := range s.Steps {
		if step.Opens != "" {
			opened[step.Opens] = true
		}
		if step.Verb.Form == fullLoadForm {
			loads++
		}
		if step.At.Kind == OnTheClock && firstOnClock < 0 {
			firstOnClock = i
		}
		if step.Verb.Form == aftermathForm && i != len(s.Steps)-1 {
			p.refusals.Add(step.Line, "the last step", "step %s watches the aftermath, but steps follow it", step.ID)
		}
		if step.At.Kind == OnceLive && i != len(s.Steps)-1 {
			p.refusals.Add(step.Line, "the last step", "step %s waits for live routers, but steps follow it", step.ID)
		}
	}
	for i, phase := range f.Phases {
		if i < len(s.Phases) && !opened[s.Phases[i].Name] {
			p.refusals.Add(phase.Name.Line, "a step with opens: "+phase.Name.Value, "phase %q is opened by no step", phase.Name.Value)
		}
	}
	if s.Steps[0].Opens == "" {
		p.refusals.Add(s.Steps[0].Line, strings.Join(s.PhaseNames(), ", "), "the first step, %s, opens no phase", s.Steps[0].ID)
	}
	if loads != 1 || firstOnClock < 0 || s.Steps[firstOnClock].Verb.Form != fullLoadForm {
		p.refusals.Add(s.Steps[max(firstOnClock, 0)].Line, fullLoadForm+", once, as the first step with a clock time", "the load is not taken when the clock starts")
	}
	if last := s.Steps[len(s.Steps)-1]; last.Verb.Form != aftermathForm {
		p.refusals.Add(last.Line, aftermathForm, "the last step, %s, does not say how long to watch the aftermath", last.ID)
	}
}
