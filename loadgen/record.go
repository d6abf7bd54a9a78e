package loadgen

// NotSent is SentNs of a journey that was never sent.
const NotSent = -1

// Codes that only the generator itself gives. All others are an ISO 8583
// response code, the book's refusal, or a gRPC code's name.
const (
	// CodeDropped: the cap on requests in flight kept it from being sent.
	CodeDropped = "dropped"
	// CodeLate: its patience was over before the generator came to send it.
	CodeLate = "late"
	// CodeUnbuilt: the request could not be built.
	CodeUnbuilt = "unbuilt"
	// CodeLost: the connection broke, or the reply made no sense, after the
	// request had left.
	CodeLost = "LOST"
	// CodeMissingField: a GraphQL answer lacked a field without saying why.
	CodeMissingField = "MISSING_FIELD"
)

// Record is one journey as its client saw it: a line of journal.jsonl.zst, and
// what the figures of a result and the audit of the books are made from.
type Record struct {
	// Load names the schedule, Seq counts within it.
	Load string `json:"load"`
	Seq  int    `json:"seq"`
	// Retry is 0 for the arrival itself, and counts what its customer did when
	// it had failed. Retries are in no figure of the load, but in their own.
	Retry int `json:"retry,omitempty"`
	// Journey is an index into the schedule's journeys, Name its name there.
	Journey Journey `json:"-"`
	Name    string  `json:"journey"`
	// Customer is an index into the schedule's population.
	Customer int `json:"customer"`
	// AmountMinor is in pence, 0 for a read.
	AmountMinor int64 `json:"amount_minor,omitempty"`
	// Key is the idempotency key of a write.
	Key string `json:"key,omitempty"`

	// IntendedNs, SentNs and DoneNs are nanoseconds since the run's origin. A
	// journey that was never sent has SentNs = NotSent, and DoneNs when that
	// was decided.
	IntendedNs int64 `json:"intended_ns"`
	SentNs     int64 `json:"sent_ns"`
	DoneNs     int64 `json:"done_ns"`
	// ThinkNs is how much of the time between sent and done the customer
	// paused; it is in no latency.
	ThinkNs int64 `json:"think_ns,omitempty"`
	// Messages is how many came back, of a stream.
	Messages int64 `json:"messages,omitempty"`

	Decision
	Provenance
}

// Sent says whether the journey was sent at all.
func (r *Record) Sent() bool { return r.SentNs >= 0 }

// Decision is how a journey ended, and why.
type Decision struct {
	Outcome Outcome `json:"outcome"`
	// Code is the DE39 response code of a card journey, the book's refusal, or
	// a gRPC code's name as in "DEADLINE_EXCEEDED"; or one of the Code…
	// constants.
	Code string `json:"code,omitempty"`
	// Standin is set when stand-in decided; Queued when a payment was accepted
	// to be posted later.
	Standin bool `json:"standin,omitempty"`
	Queued  bool `json:"queued,omitempty"`
	// Err is the error's text, cut to errMaxBytes.
	Err string `json:"err,omitempty"`
	// Own says that Err is the generator's own text, not a server's: its numbers
	// are few, and stay where errors are grouped by their causes.
	Own bool `json:"-"`
}

// Provenance is what the hops behind an edge reported about their routes.
type Provenance struct {
	// Route is the worst of the hops: live, stale, snapshot, seed or fallback,
	// "" when none was reported.
	Route string `json:"route,omitempty"`
	// RouteAgeMs is the age of the oldest table among them.
	RouteAgeMs int64 `json:"route_age_ms,omitempty"`
	// Attempts sums the attempts of all hops, retries included.
	Attempts int `json:"attempts,omitempty"`
}

// errMaxBytes bounds what a Record keeps of an error, since an outage makes
// many.
const errMaxBytes = 160

// Sink takes the records of a run as they are decided, in no particular order
// and from many goroutines at once. It must not block, and must copy what it
// keeps: r is reused after the call.
type Sink interface {
	Record(r *Record)
}

// SinkFunc makes a function a Sink.
type SinkFunc func(r *Record)

// Record calls f.
func (f SinkFunc) Record(r *Record) { f(r) }

// Tee is a Sink that hands each record to all of them in order.
func Tee(sinks ...Sink) Sink {
	return SinkFunc(func(r *Record) {
		for _, s := range sinks {
			s.Record(r)
		}
	})
}
