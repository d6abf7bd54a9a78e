package capacity

import (
	"breakbank/bench/load"
	"breakbank/bench/result"
	"breakbank/bench/stats"
)

// Kind is the kind of a result of this package.
const Kind = "capacity"

// Result is what was found, in the envelope of result.json.
type Result struct {
	Schema int    `json:"schema"`
	Kind   string `json:"kind"`
	// Scenario is what was called: a method, a file of journeys, the bank.
	Scenario string `json:"scenario"`
	Seed     uint64 `json:"seed"`

	// Partial is set when it was stopped before its end.
	Partial             bool     `json:"partial"`
	Valid               bool     `json:"valid"`
	InvalidReasons      []string `json:"invalid_reasons"`
	Illustrative        bool     `json:"illustrative"`
	IllustrativeReasons []string `json:"illustrative_reasons"`

	// Objective is what a rate had to meet.
	Objective string `json:"objective"`
	// End says what ended the search.
	End End `json:"end"`
	// CapacityPerS is the rate at which a probe meets the objective as often as
	// not, with its 95 % interval; nil unless it was found.
	CapacityPerS *stats.Estimate `json:"capacity_per_s"`
	// AtLeastPerS is the highest rate that met the objective and BelowPerS the
	// lowest that did not, where CapacityPerS is nil.
	AtLeastPerS float64 `json:"at_least_per_s,omitempty"`
	BelowPerS   float64 `json:"below_per_s,omitempty"`
	// Resolution is the ratio, less 1, down to which rates were told apart.
	Resolution float64 `json:"resolution"`
	// Probes are all loads that were offered, in their order.
	Probes []Probe `json:"probes"`

	Targets     []string           `json:"targets"`
	Connections int                `json:"connections"`
	Transport   string             `json:"transport"`
	Environment result.Environment `json:"environment"`

	boundMs float64
}

// Probe is one load at one rate.
type Probe struct {
	Phase    Phase   `json:"phase"`
	RatePerS float64 `json:"rate_per_s"`
	Seed     uint64  `json:"seed"`
	// ScheduleSHA256 is of the part that counts, which lasted DurationS after
	// WarmUpS.
	ScheduleSHA256 string  `json:"schedule_sha256"`
	DurationS      float64 `json:"duration_s"`
	WarmUpS        float64 `json:"warm_up_s"`
	// AtS is when it began, since the beginning of the search.
	AtS     float64 `json:"at_s"`
	Outcome Outcome `json:"outcome"`
	// Why says why the outcome is Invalid, or what spoke against a load that met
	// the objective although the generator was late.
	Why        []string    `json:"why,omitempty"`
	Conditions []Condition `json:"conditions"`
	// GoodPerS is what was ok or rightly declined within the longest response that
	// the objective allows.
	GoodPerS  float64 `json:"good_per_s"`
	Scheduled int64   `json:"scheduled"`
	Sent      int64   `json:"sent"`
	// OK is what was ok or rightly declined, within whatever time.
	OK             int64            `json:"ok"`
	LatencyMs      load.Latency     `json:"latency_ms"`
	SendDelayMs    load.Latency     `json:"send_delay_ms"`
	Errors         map[string]int64 `json:"errors,omitempty"`
	GeneratorCPUUs float64          `json:"generator_cpu_us_per_request"`
}

// in lists the probes of a phase.
func (r *Result) in(phase Phase) []Probe {
	var all []Probe
	for _, p := range r.Probes {
		if p.Phase == phase {
			all = append(all, p)
		}
	}
	return all
}
