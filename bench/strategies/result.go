package strategies

import (
	"breakbank/bench/result"
	"breakbank/bench/stats"
	"breakbank/platform/router/balance"
)

// KindBench is the kind of a result of a suite, suite which one it is of.
const (
	KindBench = "bench"
	suite     = "strategies"
)

// Result is what the suite found, in the envelope of result.json.
type Result struct {
	Schema   int     `json:"schema"`
	Kind     string  `json:"kind"`
	Scenario string  `json:"scenario"`
	Seed     uint64  `json:"seed"`
	RatePerS float64 `json:"rate_per_s"`

	// Partial is set when the suite was stopped before its end.
	Partial             bool     `json:"partial"`
	Valid               bool     `json:"valid"`
	InvalidReasons      []string `json:"invalid_reasons"`
	Illustrative        bool     `json:"illustrative"`
	IllustrativeReasons []string `json:"illustrative_reasons"`

	// Runs is how many were asked for; a cell says how many it has.
	Runs        int                `json:"runs"`
	Model       Model              `json:"model"`
	Scenarios   []Scenario         `json:"scenarios"`
	Strategies  []Strategy         `json:"strategies"`
	Cells       []Cell             `json:"cells"`
	Environment result.Environment `json:"environment"`
}

// Model is what was simulated.
type Model struct {
	Endpoints     int                     `json:"endpoints"`
	Routers       int                     `json:"routers"`
	Workers       int                     `json:"workers"`
	ServiceMeanMs float64                 `json:"service_mean_ms"`
	Service       string                  `json:"service"`
	Queue         string                  `json:"queue"`
	PatienceMs    float64                 `json:"patience_ms"`
	Utilization   float64                 `json:"utilization"`
	Ejection      *balance.EjectionConfig `json:"ejection"`
}

// Scenario is one that was played. Times are virtual seconds.
type Scenario struct {
	Name    string  `json:"name"`
	About   string  `json:"about"`
	Watched string  `json:"watched"`
	LengthS float64 `json:"length_s"`
	// HarmS is when it happens, 0 if at no moment; OverS when it is over, 0 if
	// it stays.
	HarmS float64 `json:"harm_s"`
	OverS float64 `json:"over_s"`
	// FromS and ToS is the window that figures are of.
	FromS float64 `json:"from_s"`
	ToS   float64 `json:"to_s"`
}

// Strategy is one that played.
type Strategy struct {
	Name  string `json:"name"`
	About string `json:"about"`
	// DecisionWallNs is what a request costs the strategy on this machine, in
	// wall time; the only figure that is not of the model.
	DecisionWallNs float64 `json:"decision_wall_ns"`
}

// Cell is a strategy under a scenario. Estimates are means over the runs, of
// the measured window.
type Cell struct {
	Strategy string `json:"strategy"`
	Scenario string `json:"scenario"`
	Runs     int    `json:"runs"`
	// Requests is all of all runs, and Ends how they ended.
	Requests int            `json:"requests"`
	Ends     map[string]int `json:"ends"`
	// Latencies are nil if too few requests tell. Failures stay in at the
	// value that they had reached.
	P50Ms  *stats.Estimate `json:"p50_ms"`
	P99Ms  *stats.Estimate `json:"p99_ms"`
	P999Ms *stats.Estimate `json:"p999_ms"`
	// P99ToOracle is P99Ms as a multiple of the oracle's.
	P99ToOracle *stats.Estimate `json:"p99_to_oracle"`
	FailedShare stats.Estimate  `json:"failed_share"`
	// MaxToMean and CV are of the requests that each instance got for its
	// capacity.
	MaxToMean stats.Estimate `json:"max_to_mean"`
	CV        stats.Estimate `json:"cv"`
	// WatchedShare is the share of the requests that the watched instances
	// got, in multiples of an equal one.
	WatchedShare stats.Estimate `json:"watched_share"`
	// RecoverS is how long after the harm the watched instances stopped
	// hurting; nil if never, or if there was no harm at a moment.
	RecoverS *stats.Estimate `json:"recover_s"`
	// Series is of all runs together.
	Series []Point `json:"series"`
}

// Point is a second of a cell, by when requests arrived.
type Point struct {
	TS           float64  `json:"t_s"`
	Arrived      int      `json:"arrived"`
	FailedShare  float64  `json:"failed_share"`
	WatchedShare float64  `json:"watched_share"`
	P50Ms        *float64 `json:"p50_ms"`
	P99Ms        *float64 `json:"p99_ms"`
}
