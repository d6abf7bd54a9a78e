package comparison

import (
	"breakbank/bench/result"
)

// Kind is the kind of a result that compares peers.
const Kind = "peers"

// Envelope is the beginning of a result.json.
type Envelope struct {
	Schema int    `json:"schema"`
	Kind   string `json:"kind"`
	// Scenario is what was compared.
	Scenario string `json:"scenario"`
	Seed     uint64 `json:"seed"`

	// Partial is set when the run was stopped before its end.
	Partial             bool     `json:"partial"`
	Valid               bool     `json:"valid"`
	InvalidReasons      []string `json:"invalid_reasons"`
	Illustrative        bool     `json:"illustrative"`
	IllustrativeReasons []string `json:"illustrative_reasons"`

	// Blocks is how many were asked for; a cell says how many it has.
	Blocks  int     `json:"blocks"`
	WindowS float64 `json:"window_s"`
}

// Conditions are the end of a result.json: what the run ran on, and what else ran
// there.
type Conditions struct {
	// StealShare and OthersShare are the parts of the machine's time, over all
	// windows, that went to its host's other guests and to processes that have
	// nothing to do with the run.
	StealShare  float64     `json:"steal_share"`
	OthersShare float64     `json:"others_share"`
	Environment Environment `json:"environment"`
}

// Environment says what the run ran on, and against which versions.
type Environment struct {
	result.Environment
	// Versions of other people's programs, as they say themselves.
	Versions map[string]string `json:"versions"`
}

// Envelope of what was planned, before it is judged. scenario is what was
// compared, stopped why the run ended early, nil if it did not.
func (p Plan) Envelope(scenario string, stopped error) Envelope {
	return Envelope{
		Schema: result.Schema, Kind: Kind, Scenario: scenario, Seed: p.Seed, Partial: stopped != nil,
		InvalidReasons: []string{}, IllustrativeReasons: []string{}, Blocks: p.Blocks, WindowS: p.Window.Seconds(),
	}
}

// Judge adds reasons why the result must not be believed and why it decides
// nothing, and draws the conclusion from all there are.
func (e *Envelope) Judge(invalid, illustrative []string) {
	e.InvalidReasons = append(e.InvalidReasons, invalid...)
	e.Valid = len(e.InvalidReasons) == 0
	e.IllustrativeReasons = append(e.IllustrativeReasons, illustrative...)
	e.Illustrative = len(e.IllustrativeReasons) > 0
}
