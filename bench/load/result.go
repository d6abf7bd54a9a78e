package load

import (
	"breakbank/bench/result"
	"breakbank/loadgen/evidence"
	"breakbank/loadgen/recording"
)

// Schema is the number of the layout of result.json. Fields may be added under
// the same number; none is renamed without raising it.
const Schema = 1

// Kind is the kind of a result of this package.
const Kind = "load"

// How a load is kept up.
const (
	LoopOpen   = "open"
	LoopClosed = "closed"
)

// Result is result.json of a load.
type Result struct {
	Schema int    `json:"schema"`
	Kind   string `json:"kind"`
	RunID  string `json:"run_id"`
	// Scenario is what was called: a method, a file of journeys, the bank.
	Scenario string `json:"scenario"`
	Seed     uint64 `json:"seed"`
	// RatePerS is the rate that was asked for, 0 in a closed loop and where the
	// pacer has rates of its own.
	RatePerS       float64 `json:"rate_per_s"`
	ScheduleSHA256 string  `json:"schedule_sha256"`
	// Loop is LoopOpen or LoopClosed; ClosedAtOnce is how many journeys a closed
	// loop kept under way.
	Loop         string  `json:"loop"`
	ClosedAtOnce int     `json:"closed_at_once,omitempty"`
	Pacer        string  `json:"pacer"`
	DurationS    float64 `json:"duration_s"`
	WarmUpS      float64 `json:"warm_up_s"`
	// Targets are the addresses; Connections is how many were made to all of them
	// together, by each process that sends.
	Targets     []string `json:"targets"`
	Connections int      `json:"connections"`
	Transport   string   `json:"transport"`
	TLS         bool     `json:"tls"`

	// Partial is set when the load was stopped before its end.
	Partial             bool     `json:"partial"`
	Valid               bool     `json:"valid"`
	InvalidReasons      []string `json:"invalid_reasons"`
	Illustrative        bool     `json:"illustrative"`
	IllustrativeReasons []string `json:"illustrative_reasons"`

	Goodput Goodput `json:"goodput"`
	Totals  Totals  `json:"totals"`
	// Notes say which conditions of the verdict could not be tested.
	Notes []string `json:"notes"`
	// LeftOut says which percentiles are not shown, and why.
	LeftOut []string `json:"left_out"`
	// Errors are failed and unknown journeys by code and cause, the most
	// frequent first.
	Errors []ErrorClass `json:"errors"`
	// Retries are what customers tried again; they are in no other figure.
	Retries recording.Tally `json:"retries"`
	Phases  []Phase         `json:"phases"`
	Seconds []Second        `json:"seconds"`
	// Curves are percentile curves by the clock's name.
	Curves     map[string][]CurvePoint `json:"curves"`
	Thresholds []ThresholdResult       `json:"thresholds"`
	// Workers are the processes that shared the load; none for one process.
	Workers     []Worker           `json:"workers"`
	Evidence    evidence.LoadFacts `json:"evidence"`
	Environment result.Environment `json:"environment"`

	snapshot *recording.Snapshot
}

// Goodput is what was answered well: ok or rightly declined, within the
// objective if there is one.
type Goodput struct {
	PerS float64 `json:"per_s"`
	Good int64   `json:"good"`
	// Share is of all that was scheduled.
	Share float64 `json:"share"`
	// ObjectiveMs is the response within which an answer is good, 0 without.
	ObjectiveMs float64 `json:"objective_ms,omitempty"`
}

// Totals are the figures of the phase that is counted, retries left out.
type Totals struct {
	recording.Totals
	// GeneratorCPUS is the processor time of the generator, of all workers
	// together; GeneratorCPUUs is that for a request sent, in microseconds.
	GeneratorCPUS  float64 `json:"generator_cpu_s"`
	GeneratorCPUUs float64 `json:"generator_cpu_us_per_request"`
}

// ErrorClass is a kind of failure.
type ErrorClass struct {
	Code  string `json:"code"`
	Cause string `json:"cause,omitempty"`
	Count int64  `json:"count"`
}

// Phase is a stretch of the load and what each journey met in it.
type Phase struct {
	Name     string             `json:"name"`
	FromS    float64            `json:"from_s"`
	ToS      float64            `json:"to_s"`
	Journeys map[string]Journey `json:"journeys"`
}

// Journey is what one journey met in a phase: counts by the time of the
// decision, schedule and latency by the intended time.
type Journey struct {
	recording.Tally
	// Good is ok or declined, within the objective if there is one.
	Good      int64   `json:"good"`
	Scheduled int64   `json:"scheduled"`
	Sent      int64   `json:"sent"`
	LatencyMs Latency `json:"latency_ms"`
}

// Second is one second, counted from the beginning of the phase that counts.
type Second struct {
	TS        int     `json:"t_s"`
	Scheduled int64   `json:"scheduled"`
	Sent      int64   `json:"sent"`
	OK        int64   `json:"ok"`
	Degraded  int64   `json:"degraded"`
	Declined  int64   `json:"declined"`
	Failed    int64   `json:"failed"`
	Unknown   int64   `json:"unknown"`
	Good      int64   `json:"good"`
	LatencyMs Latency `json:"latency_ms"`
	// LatencySpanS is over how many seconds the latencies were taken: 1, and more
	// in a load of more than an hour.
	LatencySpanS int `json:"latency_span_s"`
}

// CurvePoint is a point of a percentile curve.
type CurvePoint struct {
	Percent float64 `json:"percent"`
	Ms      float64 `json:"ms"`
}

// Worker is one process of several.
type Worker struct {
	Name string `json:"name"`
	Host string `json:"host,omitempty"`
	Sent int64  `json:"sent"`
	// Lost says why there is nothing of it, empty for one that finished.
	Lost          string             `json:"lost,omitempty"`
	GeneratorCPUS float64            `json:"generator_cpu_s"`
	Evidence      evidence.LoadFacts `json:"evidence"`
}

// Snapshot is what the figures were computed from; nil for a result that was
// read from a file.
func (r *Result) Snapshot() *recording.Snapshot { return r.snapshot }
