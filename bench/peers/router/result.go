package peers

import (
	"breakbank/bench/peers/comparison"
	"breakbank/bench/result"
	"breakbank/bench/stats"
)

// subject is what was compared, in the envelope's field for it.
const subject = "router"

// Result is what a run measured, in the envelope of result.json.
type Result struct {
	comparison.Envelope

	Missing []Missing        `json:"missing"`
	Cases   []Case           `json:"cases"`
	Cells   []Cell           `json:"cells"`
	Bars    []comparison.Bar `json:"bars"`
	comparison.Conditions
}

// Cell is what was measured of one peer under one case.
type Cell struct {
	Case string `json:"case"`
	Peer string `json:"peer"`
	// Blocks is how many samples there are, Requests how many requests were
	// answered in their windows.
	Blocks   int   `json:"blocks"`
	Requests int64 `json:"requests"`
	// Failed came to a wrong end, which Errors counts; Unanswered had none when
	// the driver stopped waiting.
	Failed     int64            `json:"failed"`
	Unanswered int64            `json:"unanswered"`
	Errors     map[string]int64 `json:"errors,omitempty"`
	// KeptUp is false if a paced load came back at less than the pace: the
	// peer, or the machine with it, could do no more. Its latency says nothing
	// then and is left out.
	KeptUp bool `json:"kept_up"`
	// RatePerS is requests answered a second.
	RatePerS stats.Estimate `json:"rate_per_s"`
	// CPUUs is the peer's processor time a request in µs; nil for direct.
	CPUUs *stats.Estimate `json:"cpu_us,omitempty"`
	// EchoCPUUs and DriverCPUUs are those of the service behind it and of the
	// load before it, which a peer can make cheaper or dearer.
	EchoCPUUs   float64 `json:"echo_cpu_us"`
	DriverCPUUs float64 `json:"driver_cpu_us"`
	// ToHAProxy and ToRelay are CPUUs as a multiple of theirs.
	ToHAProxy *stats.Estimate `json:"to_haproxy,omitempty"`
	ToRelay   *stats.Estimate `json:"to_relay,omitempty"`
	// LatencyMs is intended to done of all blocks together; SendDelayP99Ms is
	// the driver's own part in it.
	LatencyMs      result.Latency `json:"latency_ms"`
	SendDelayP99Ms float64        `json:"send_delay_p99_ms"`
	// AddedMs is the peer's quantiles less those of direct, block by block.
	AddedP50Ms *stats.Estimate `json:"added_p50_ms,omitempty"`
	AddedP99Ms *stats.Estimate `json:"added_p99_ms,omitempty"`
}
