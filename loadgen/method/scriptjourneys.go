package method

import (
	"fmt"
	"time"

	"breakbank/loadgen"
)

// ScriptOptions are what a script leaves open.
type ScriptOptions struct {
	// Data is what templates draw from. Without a table, it is the script's own.
	Data      DataOptions
	Authority string
	// Metadata goes with every call, unless a step has other of that name.
	Metadata *Metadata
	// Patience is for the journeys that say none.
	Patience time.Duration
	// Target and Addresses are as in JourneyOptions.
	Target, Addresses int
}

// Journeys makes the journeys, in the order of the file. methods are those of
// Methods, in that order.
func (s *Script) Journeys(methods []*Method, o ScriptOptions) ([]loadgen.JourneySpec, error) {
	names := s.Methods()
	if len(methods) != len(names) {
		return nil, fmt.Errorf("%s calls %d methods; %d are given", s.file, len(names), len(methods))
	}
	found := map[string]*Method{}
	for i := range names {
		found[names[i]] = methods[i]
	}
	if o.Data.Table == nil {
		o.Data.Table, o.Data.RandomRows = s.table, s.random
	}
	journeys := make([]loadgen.JourneySpec, 0, len(s.journeys))
	for i := range s.journeys {
		j := &s.journeys[i]
		spec := loadgen.JourneySpec{Name: j.name, Weight: j.weight, Patience: j.patience, Write: j.write}
		if spec.Patience == 0 {
			spec.Patience = o.Patience
		}
		for k := range j.steps {
			step, err := j.steps[k].make(found[j.steps[k].method], k, j, &o, &spec)
			if err != nil {
				return nil, s.atLine(j.steps[k].line, err)
			}
			spec.Steps = append(spec.Steps, step)
		}
		journeys = append(journeys, spec)
	}
	return journeys, nil
}

// make makes a step of what the file says of it, and adds to the journey's
// identity what it sends.
func (t *scriptStep) make(m *Method, number int, j *scriptJourney, o *ScriptOptions, spec *loadgen.JourneySpec) (loadgen.Step, error) {
	d, err := ParseData(m, t.data, o.Data)
	if err != nil {
		return loadgen.Step{}, err
	}
	metadata, err := ParseMetadata(t.metadata, o.Data)
	if err != nil {
		return loadgen.Step{}, err
	}
	options := JourneyOptions{
		Write: j.write, Authority: o.Authority, Metadata: o.Metadata.with(metadata),
		Target: o.Target, Addresses: o.Addresses, Requests: t.requests,
		Check: Check{Codes: t.codes, MessagesMin: t.messagesMin},
	}
	step, err := m.step(d, number, &options)
	if err != nil {
		return step, err
	}
	m.identify(spec, d, &options)
	if t.thinkMin == 0 {
		return step, nil
	}
	least, most := t.thinkMin, t.thinkMax
	spec.Sends = fmt.Appendf(spec.Sends, "think %d %d", least, most)
	spec.Draws = spec.Draws || least != most
	step.Think = func(v *loadgen.Visit) time.Duration {
		own := scratchOf(v)
		own.values.of(v, number)
		own.values.begin(forThink)
		return least + time.Duration(own.values.below(uint64(most-least)+1))
	}
	return step, nil
}
