package result

// Second is one second of the run: what was decided in it, and what each router
// knew at its end. It is both a row of the series and what the live view gets
// while the run goes on (then without latency).
type Second struct {
	// TS is the second's start; it lasts until TS+1.
	TS float64 `json:"t_s"`
	// Clock is the incident's clock at the second's end, such as "14:10:30".
	Clock string `json:"clock"`
	Phase string `json:"phase"`
	// Journeys holds a value for every name of the function Journeys.
	Journeys map[string]Journey `json:"journeys"`
	// Routers are ordered by node.
	Routers []RouterPoint `json:"routers"`
}

// Discovery states of a router, judged against etcd from outside.
const (
	RouterLive     = "live"
	RouterStale    = "stale"
	RouterPoisoned = "poisoned"
	RouterDown     = "down"
	RouterWaiting  = "waiting"
)

// RouterPoint is what a router knew at one moment.
type RouterPoint struct {
	Node  string `json:"node"`
	State string `json:"state"`
	// AgeMs is how long its table has been behind etcd, 0 when live.
	AgeMs int64 `json:"age_ms"`
	// Source is where its table comes from: an API server, etcd, a snapshot.
	Source string `json:"source,omitempty"`
	Detail string `json:"detail,omitempty"`
	// EtcdReads counts direct reads of etcd since the router started.
	EtcdReads int64 `json:"etcd_reads,omitempty"`
	// Requests and Attempts count since the router started.
	Requests int64 `json:"requests"`
	Attempts int64 `json:"attempts"`
}

// Event is an entry of the timeline: a line of timeline.jsonl.
type Event struct {
	TS float64 `json:"t_s"`
	// Clock is the incident's clock, or the operator's words before it runs.
	Clock string `json:"clock"`
	// Kind is one of the Event… constants.
	Kind string `json:"kind"`
	// ID is the step's id, the phase's name or the fault's name.
	ID string `json:"id"`
	// Text says it in the operator's words.
	Text string `json:"text"`
	// TookMs is how long a finished step took.
	TookMs int64 `json:"took_ms,omitempty"`
	// PacedMin is the event's time in minutes of the scenario since its clock
	// started, nil before that.
	PacedMin *float64 `json:"paced_min,omitempty"`
	// Error is what a failed step met.
	Error string `json:"error,omitempty"`
}

// Kinds of Event.
const (
	EventPhase       = "phase"
	EventStep        = "step"
	EventStepDone    = "step_done"
	EventStepSkipped = "step_skipped"
	EventStepFailed  = "step_failed"
	EventFault       = "fault"
	EventAlert       = "alert"
	EventNote        = "note"
)
