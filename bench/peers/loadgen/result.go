package loadgen

import (
	"breakbank/bench/peers/comparison"
	"breakbank/bench/stats"
)

// subject is what was compared, in the envelope's field for it.
const subject = "loadgen"

// Result is what a run measured, in the envelope of result.json.
type Result struct {
	comparison.Envelope

	Missing []Missing `json:"missing"`
	Cases   []Case    `json:"cases"`
	// Costs are the cells of the cases of Saturation and Schedule, Truths those
	// of the others.
	Costs  []Cost   `json:"costs"`
	Truths []Report `json:"truths"`
	// Memory is that of breakbank's generator over a long load; nil unless the
	// run was that.
	Memory *Memory          `json:"memory,omitempty"`
	Bars   []comparison.Bar `json:"bars"`
	comparison.Conditions
}

// Cost is what a generator cost under one case, and how it kept to its rate.
type Cost struct {
	Case      string `json:"case"`
	Generator string `json:"generator"`
	// Blocks is how many samples there are, Requests how many requests came in
	// their windows, as the server counted.
	Blocks   int   `json:"blocks"`
	Requests int64 `json:"requests"`
	// Failed is what the generator reports as failed, over its whole load, where
	// it does; MostFailed says why.
	Failed     int64  `json:"failed"`
	MostFailed string `json:"most_failed,omitempty"`
	// RatePerS is requests that came a second.
	RatePerS stats.Estimate `json:"rate_per_s"`
	// CPUUs is the generator's processor time a request in µs, ServerCPUUs the
	// null server's, which a generator that writes in small pieces makes dearer.
	CPUUs       stats.Estimate `json:"cpu_us"`
	ServerCPUUs float64        `json:"server_cpu_us"`
	// ToGhz and ToH2load are CPUUs as a multiple of theirs.
	ToGhz    *stats.Estimate `json:"to_ghz,omitempty"`
	ToH2load *stats.Estimate `json:"to_h2load,omitempty"`
	// The rest is what a generator with a schedule reports of itself: the share
	// of the schedule that was sent, the send delay, and how far sent times
	// strayed from the schedule (the two-sample Kolmogorov-Smirnov distance).
	OfferedShare   *stats.Estimate `json:"offered_share,omitempty"`
	SendDelayP50Ms *stats.Estimate `json:"send_delay_p50_ms,omitempty"`
	SendDelayP99Ms *stats.Estimate `json:"send_delay_p99_ms,omitempty"`
	StrayD         *stats.Estimate `json:"stray_d,omitempty"`
}

// Report is what a generator reported of a server that is known.
type Report struct {
	Case      string `json:"case"`
	Generator string `json:"generator"`
	Blocks    int    `json:"blocks"`
	// Scheduled is how many requests the rate asks for, Calls how many were made;
	// both are means over blocks.
	Scheduled float64 `json:"scheduled"`
	Calls     float64 `json:"calls"`
	// TruthMs, ReportedMs and ServedMs are quantiles of the response time, means
	// over blocks: as computed, as reported, and as the server measured itself
	// from the arrival of a request to its answer. Decided are those that a
	// generator is held to.
	TruthMs    Latency  `json:"truth_ms,omitempty"`
	ReportedMs Latency  `json:"reported_ms,omitempty"`
	ServedMs   Latency  `json:"served_ms,omitempty"`
	Decided    []string `json:"decided,omitempty"`
	// TruthFailed and ReportedFailed are shares of the calls; of a case that is
	// about failures.
	TruthFailed    *float64 `json:"truth_failed,omitempty"`
	ReportedFailed *float64 `json:"reported_failed,omitempty"`
	// Off is by how much the report is wrong, as a share of the truth: the worst
	// of those decided. It is nil where something decided is not reported.
	Off *stats.Estimate `json:"off,omitempty"`
}
