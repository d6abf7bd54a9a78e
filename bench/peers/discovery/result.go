package discovery

import (
	"fmt"

	"breakbank/bench/result"
	"breakbank/bench/stats"
)

// Result is what a run measured, in the envelope of result.json.
type Result struct {
	Schema   int    `json:"schema"`
	Kind     string `json:"kind"`     // "peers"
	Scenario string `json:"scenario"` // "discovery"
	Seed     uint64 `json:"seed"`

	// Partial is set when the run was stopped before its end.
	Partial        bool     `json:"partial"`
	Valid          bool     `json:"valid"`
	InvalidReasons []string `json:"invalid_reasons"`

	Routers     int      `json:"routers"`
	Services    int      `json:"services"`
	Endpoints   int      `json:"endpoints"`
	ChangesPerS float64  `json:"changes_per_s"`
	Blocks      int      `json:"blocks"` // as asked for; a cell says how many it has
	DurationS   float64  `json:"duration_s"`
	FloodS      float64  `json:"flood_s"`
	Policies    []string `json:"policies"` // of guarded

	Cells []Cell `json:"cells"`
	// P99Ratio is guarded's p99 as a multiple of the informer's, in the same
	// blocks.
	P99Ratio *stats.Estimate `json:"p99_ratio,omitempty"`
	Floods   []Flood         `json:"floods"`
	Bars     []Bar           `json:"bars"`

	// StealShare and OthersShare are the parts of the machine's time that went
	// to its host's other guests and to processes outside the run.
	StealShare  float64            `json:"steal_share"`
	OthersShare float64            `json:"others_share"`
	Environment result.Environment `json:"environment"`
}

// Cell is one kind of follower under the steady load, all blocks together.
type Cell struct {
	Kind   string `json:"kind"`
	About  string `json:"about"`
	Blocks int    `json:"blocks"`
	// Changes is how many were made while it was measured.
	Changes int `json:"changes"`
	// LastUse is from a change's commit in etcd until the last follower used
	// it; FromWrite counts from when etcd was asked.
	LastUse   Latency `json:"last_use_ms"`
	FromWrite Latency `json:"from_write_ms"`
	// P99 is LastUse's, with its interval.
	P99 *stats.Estimate `json:"last_use_p99_ms,omitempty"`
	// CPUUs is the processor time of one follower for one change, in µs, all
	// that it does in that time included; RegistryCPUMs that of etcd and the
	// API servers for one change told to all.
	CPUUs         stats.Estimate `json:"cpu_us"`
	RegistryCPUMs stats.Estimate `json:"registry_cpu_ms"`
	// MemoryMB is what one follower holds, in millions of bytes.
	MemoryMB stats.Estimate `json:"memory_mb"`
	// EntriesPerChange is how many services' entries a follower was told of for
	// one change.
	EntriesPerChange float64 `json:"entries_per_change"`
	// Unseen are changes that some follower never used; Early those used
	// before the writer had etcd's answer.
	Unseen      int   `json:"unseen"`
	Early       int   `json:"early"`
	Warnings    int64 `json:"warnings"`
	DirectReads int64 `json:"direct_reads"`
}

// Latency has the quantiles for which there are enough samples, in ms.
type Latency struct {
	P50 *float64 `json:"p50,omitempty"`
	P99 *float64 `json:"p99,omitempty"`
	Max *float64 `json:"max,omitempty"`
}

// Flood is one kind of follower under the flood.
type Flood struct {
	Kind    string `json:"kind"`
	Routers int    `json:"routers"`
	Changes int    `json:"changes"`
	// RatePerS is what the registry took.
	RatePerS float64 `json:"rate_per_s"`
	LastUse  Latency `json:"last_use_ms"`
	// DrainedMs is from the last commit until everybody had everything.
	DrainedMs float64 `json:"drained_ms"`
	// Conflated are changes skipped for a newer one of the same service, a
	// router.
	Conflated float64 `json:"conflated"`
	CPUUs     float64 `json:"cpu_us"`
	Unseen    int     `json:"unseen"`
}

// Bar is a thing that must hold, and whether it does.
type Bar struct {
	Says     string         `json:"says"`
	Measured stats.Estimate `json:"measured"`
	Unit     string         `json:"unit"`
	Limit    float64        `json:"limit"`
	// Verdict is met, missed or undecided: the whole interval is on one side of
	// the limit, or it is not.
	Verdict string `json:"verdict"`
}

func bar(says string, measured stats.Estimate, unit string, limit float64) Bar {
	b := Bar{Says: says, Measured: measured, Unit: unit, Limit: limit, Verdict: "undecided"}
	switch {
	case measured.High <= limit:
		b.Verdict = "met"
	case measured.Low > limit:
		b.Verdict = "missed"
	}
	return b
}

// Bounds of a run that is to be believed (measurement.md, "Verdict").
const (
	// stealMax and othersMax are the shares of the machine's time that its host
	// and processes outside the run may take.
	stealMax  = 0.05
	othersMax = 0.05
	// rateMin is the share of the intended rate that etcd must have taken.
	rateMin = 0.95
	// earlyMax is the share of changes whose commit may have been noticed too
	// late to measure from.
	earlyMax = 0.05
)

// invalid lists why a result must not be believed; none, and it may.
func invalid(r *Result, stopped error) []string {
	reasons := []string{}
	because := func(format string, args ...any) { reasons = append(reasons, fmt.Sprintf(format, args...)) }
	if stopped != nil {
		because("stopped before the run was complete: %v", stopped)
	}
	if r.StealShare > stealMax {
		because("the machine was starved: its host gave %.0f %% of its time to others, more than %.0f %%", r.StealShare*100, stealMax*100)
	}
	if r.OthersShare > othersMax {
		because("the machine was not left alone: other processes took %.0f %% of its time, more than %.0f %%", r.OthersShare*100, othersMax*100)
	}
	for _, c := range r.Cells {
		if c.Unseen > 0 {
			because("%s: %d times a follower never used a change", c.Kind, c.Unseen)
		}
		if c.Changes < tailSamples {
			because("%s: %d changes are too few for a 99th percentile, %d are needed", c.Kind, c.Changes, tailSamples)
		}
		if float64(c.Early) > earlyMax*float64(c.Changes) {
			because("%s: %d of %d commits were noticed only after everybody had used them", c.Kind, c.Early, c.Changes)
		}
	}
	for _, f := range r.Floods {
		if f.RatePerS < rateMin*floodChanges {
			because("%s, flood: etcd took %.0f changes a second instead of %d", f.Kind, f.RatePerS, floodChanges)
		}
		if f.Unseen > 0 {
			because("%s, flood: %d times a follower never used a change", f.Kind, f.Unseen)
		}
	}
	return reasons
}
