// Package result says what a run measured: the structs of result.json, and the
// pure functions that turn the client's own records into its figures: phases,
// impact, verdict, expectations, comparison of arms. Nothing here talks to
// anything; what plays a run is in bench/replay.
//
// Times named *_s are real seconds since the run's zero, the moment the warm-up
// load starts. Where a figure also exists in the scenario's own time its name
// says so (…_paced_min).
package result

// Schema is the number of the layout of result.json. Fields may be added under
// the same number; none is renamed without raising it.
const Schema = 1

// KindReplay is the kind of a result made by playing a scenario.
const KindReplay = "replay"

// Result is result.json.
type Result struct {
	Schema   int    `json:"schema"`
	Kind     string `json:"kind"`
	RunID    string `json:"run_id"`
	Scenario string `json:"scenario"`
	Arm      string `json:"arm"`
	// Fallback is the path to stand-in that was played: none, routed, independent.
	Fallback string `json:"fallback"`
	// Without names the steps and mechanisms left out of the script.
	Without  []string `json:"without,omitempty"`
	Seed     uint64   `json:"seed"`
	RatePerS float64  `json:"rate_per_s"`
	Pace     float64  `json:"pace"`
	Topology string   `json:"topology"`
	// Customers is the model of who makes the load: even, people.
	Customers      string `json:"customers"`
	ScheduleSHA256 string `json:"schedule_sha256"`

	// Partial is set when the run was stopped before it was complete: its script,
	// the draining of what was queued, the audit.
	Partial             bool     `json:"partial"`
	Valid               bool     `json:"valid"`
	InvalidReasons      []string `json:"invalid_reasons"`
	Illustrative        bool     `json:"illustrative"`
	IllustrativeReasons []string `json:"illustrative_reasons"`

	Phases []Phase `json:"phases"`
	Impact Impact  `json:"impact"`
	// Retries counts what customers did when a journey had failed, if they were
	// played so. They are in no other figure but the audit.
	Retries      Counts        `json:"retries"`
	Routes       Routes        `json:"routes"`
	Faults       []Fault       `json:"faults"`
	Audit        Audit         `json:"audit"`
	Expectations []Expectation `json:"expectations"`
	Load         Load          `json:"load"`
	Timeline     []Event       `json:"timeline"`
	Series       []Second      `json:"series"`
	Environment  Environment   `json:"environment"`
}

// Phase is a stretch of the scenario and what each journey met in it.
type Phase struct {
	Name  string  `json:"name"`
	FromS float64 `json:"from_s"`
	ToS   float64 `json:"to_s"`
	// ClockFrom is the incident's clock when the phase opened, such as "14:10",
	// or the operator's words before the clock runs.
	ClockFrom string `json:"clock_from"`
	// Journeys holds a value for every name of the function Journeys.
	Journeys map[string]Journey `json:"journeys"`
}

// Seconds is the phase's real length.
func (p Phase) Seconds() float64 { return p.ToS - p.FromS }

// Counts are outcomes; they belong to the phase and second in which the journey
// was decided. Offered is their sum.
type Counts struct {
	Offered  int64 `json:"offered"`
	OK       int64 `json:"ok"`
	Degraded int64 `json:"degraded"`
	Declined int64 `json:"declined"`
	Failed   int64 `json:"failed"`
	Unknown  int64 `json:"unknown"`
}

// Journey is what one journey met in a phase or a second. Its latency belongs
// to the intended time, its counts to the time of decision.
type Journey struct {
	Counts
	LatencyMs Latency `json:"latency_ms"`
}

// Latency holds response times, intended to done, in milliseconds. A percentile
// that the samples cannot carry (see Percentiles) is nil and left out.
type Latency struct {
	P50  *float64 `json:"p50,omitempty"`
	P90  *float64 `json:"p90,omitempty"`
	P99  *float64 `json:"p99,omitempty"`
	P999 *float64 `json:"p999,omitempty"`
	Max  *float64 `json:"max,omitempty"`
}

// Routes counts journeys by the worst route an answer came over.
type Routes struct {
	Live     int64 `json:"live"`
	Stale    int64 `json:"stale"`
	Snapshot int64 `json:"snapshot"`
	Seed     int64 `json:"seed"`
	Fallback int64 `json:"fallback"`
	// None counts journeys whose answer, if any, named no route.
	None int64 `json:"none"`
}

// Fault is an injected fault with the proof from its victim's side.
type Fault struct {
	Name      string  `json:"name"`
	Target    string  `json:"target"`
	InjectedS float64 `json:"injected_s"`
	// ClearedS is when the script cleared the fault, 0 if it never did. What the
	// platform cured by itself or an operator by other means (a dark link, by the
	// restart of its API server) has no time here: journeys decided after it
	// still count as decided while the fault was active.
	ClearedS float64 `json:"cleared_s"`
	Proof    int64   `json:"proof"`
	Evidence string  `json:"evidence"`
}

// Audit is the outside judgement of the books after the platform was killed.
type Audit struct {
	// Ran is false when no audit was made; then Passed is false as well.
	Ran     bool         `json:"ran"`
	Passed  bool         `json:"passed"`
	Checks  []Check      `json:"checks"`
	Figures AuditFigures `json:"figures"`
}

// Check is one thing that the audit looked at.
type Check struct {
	Name   string `json:"name"`
	Passed bool   `json:"passed"`
	// Checked counts the items looked at: accounts, entries, journeys.
	Checked int64  `json:"checked"`
	Detail  string `json:"detail,omitempty"`
}

// AuditFigures are the sums of money and wrong decisions that only the true
// book can tell.
type AuditFigures struct {
	OverspendMinor int64 `json:"overspend_minor"`
	WrongApprovals int64 `json:"wrong_approvals"`
	WrongDeclines  int64 `json:"wrong_declines"`
	// HoldsReversed counts holds of money, current account and prepaid, that
	// processors gave back because the card network was not told of them: it
	// had given up, or no answer had come.
	HoldsReversed  int64 `json:"holds_reversed"`
	AdvicesApplied int64 `json:"advices_applied"`
	// UnknownHappened counts journeys without an answer that did take place.
	UnknownHappened int64 `json:"unknown_happened"`
	// ChargedAgain counts customers who paid at a terminal twice, because the
	// first time was said to have failed, or not answered, and had taken place.
	ChargedAgain int64 `json:"charged_again"`
}

// Environment says what the run ran on.
type Environment struct {
	Machine    string  `json:"machine"`
	OS         string  `json:"os"`
	Arch       string  `json:"arch"`
	Kernel     string  `json:"kernel"`
	Cores      int     `json:"cores"`
	MemoryGiB  float64 `json:"memory_gib"`
	Go         string  `json:"go"`
	Commit     string  `json:"commit"`
	StartedUTC string  `json:"started_utc"`
	// Flags are the arguments the run was started with.
	Flags []string `json:"flags,omitempty"`
}
