package recording

import (
	"slices"
	"sync"
	"time"

	"breakbank/loadgen"
)

const (
	// openDefault is how long a second stays open where no patience is given, and
	// openMax at most, in seconds. openSlack is what is added for answers that
	// come a little late, spareSeconds for the time that it takes to close.
	openDefault  = 15
	openMax      = 120
	openSlack    = 2
	spareSeconds = 4
	// choreEvery is how many records come between two steps of closing a second:
	// at the 400,000 a second of a busy generator a step comes every 40 µs, and at
	// 1,000 a second the bank's 18 steps still end within that second.
	choreEvery = 16
	// pendingMax bounds the finished seconds that wait for OnSecond; one that
	// finds so many before it is not told.
	pendingMax = 64

	// seriesParts is for how many seconds latencies are kept each by itself: in a
	// run of more than an hour, for every 2 seconds, then 4, and so on.
	seriesParts = 3600
	// seriesCoarser makes 8 steps of the grid one in the series, so that its
	// latencies are known to 0.8 %, or to 4 µs below half a millisecond.
	seriesCoarser = 3
	// logParts is how many intervals an HDR log has at most.
	logParts = 64
)

// Options say what a Recorder has to keep.
type Options struct {
	// Journeys are the names of the table that records point into.
	Journeys []string
	// Phases, if any, must not overlap.
	Phases []Phase
	// Patience is the longest of any journey, its pauses included: it says how
	// long latencies of a second are waited for, up to two minutes; 0 is 15 s.
	// The latency of a record that comes later still is right in every figure
	// but those by second, where it counts in the first that is still open.
	Patience time.Duration
	// Objective, if above 0, is the response within which a journey that ended ok
	// or declined is good; without it all of those are.
	Objective time.Duration
	// OnSecond, if not nil, is told of each finished second, in order; that is
	// when its last latency can have come. It must be quick: it is called by
	// whoever records.
	OnSecond func(Second)
}

// Recorder is a loadgen.Sink of constant memory: it counts, and forgets. What it
// keeps of a load is some 0.1 MB a journey and phase, 50 kB a journey and second
// for as long as that second is open, and 0.5 kB a journey and second from then
// on, for an hour at most. Safe for concurrent use.
//
//	intended second          ring of open seconds: three histograms a journey
//	   of a record    ──>    [ 8][ 9][10][11][12]
//	                           │ closed a little with every few records
//	                           v
//	         series: a coarser histogram       log: three histograms of at most
//	         of response times a second        64 intervals, ever longer
type Recorder struct {
	names    []string
	phases   []Phase
	goodNs   int64 // the objective
	onSecond func(Second)

	mu     sync.Mutex
	memory memory
	// cells are by phase, then by journey; those after the last phase are for
	// what lies in none. A nil one is empty.
	cells                  []*cell
	dueIn, decidedIn       int // phases of the latest record
	retries                Tally
	retryTimes             histogram
	codes, classes, routes bounded
	attempts, messages     int64

	counts secondCounts
	// ring are the open seconds; that of a second is its index modulo the ring's
	// length. first is the first that is open, last the latest that was seen, -1
	// before the first record; all from first to last have a place in the ring.
	ring        []openSecond
	first, last int
	openFor     int
	closing     closing
	sinceChore  int
	series, log filling

	pending    []finished
	delivering bool
	told       int // the second that OnSecond is told of next
}

// cell is a journey in a phase.
type cell struct {
	tallies
	times [clockCount]histogram
}

// NewRecorder returns an empty recorder.
func NewRecorder(o Options) *Recorder {
	journeys := len(o.Journeys)
	openFor := openDefault
	if o.Patience > 0 {
		openFor = int(min((o.Patience+time.Second-1)/time.Second, openMax))
	}
	r := &Recorder{
		names: slices.Clone(o.Journeys), phases: slices.Clone(o.Phases), goodNs: max(0, o.Objective.Nanoseconds()), onSecond: o.OnSecond,
		cells: make([]*cell, (len(o.Phases)+1)*journeys),
		codes: newBounded(codesMax), classes: newBounded(classesMax), routes: newBounded(routesMax),
		counts: secondCounts{journeys: journeys},
		ring:   make([]openSecond, openFor+openSlack+spareSeconds), last: -1, openFor: openFor + openSlack,
		series: newFilling(seriesParts, journeys, seriesCoarser),
		log:    newFilling(logParts, journeys*clockCount, 0),
	}
	for i := range r.ring {
		r.ring[i] = make(openSecond, journeys)
	}
	return r
}

// Record takes a record.
func (r *Recorder) Record(record *loadgen.Record) {
	var steps [clockCount]int
	sent := record.Sent()
	if sent {
		for c := range steps {
			ns, _ := Clock(c).Of(record)
			steps[c] = stepOf(ns)
		}
	}
	outcome := outcomeOf(record)
	if record.Retry > 0 {
		r.recordRetry(outcome, sent, steps[Response])
		return
	}
	good := int64(0)
	if goodWithin(record, r.goodNs) {
		good = 1
	}
	due, decided := secondOf(record.IntendedNs), secondOf(record.DoneNs)
	var name className
	var route [routeMaxBytes]byte
	var class, code []byte
	if outcome == loadgen.Failed || outcome == loadgen.Unknown {
		class, code = name.write(record.Code, record.Err, record.Own)
	}

	r.mu.Lock()
	if latest := max(due, decided); latest > r.last {
		r.advance(latest)
	}
	journey := int(record.Journey)
	due, decided = max(due, r.first), max(decided, r.first)
	dueCell := r.cellOf(&r.dueIn, record.IntendedNs, journey)
	dueCount := r.counts.at(due, journey)
	dueCell.scheduled++
	dueCount.scheduled++
	decidedCell := r.cellOf(&r.decidedIn, record.DoneNs, journey)
	decidedCount := r.counts.at(decided, journey)
	decidedCell.outcomes[outcome]++
	decidedCount.outcomes[outcome]++
	decidedCell.good += good
	decidedCount.good += good
	if sent {
		dueCell.sent++
		dueCount.sent++
		open := r.open(due).times(journey)
		for c, step := range steps {
			dueCell.times[c].add(step, &r.memory)
			open[c].add(step, &r.memory)
		}
		if record.Route != "" {
			r.routes.add(route[:copy(route[:], record.Route)], 1)
		}
		r.attempts += int64(record.Attempts)
		r.messages += record.Messages
	}
	if class != nil {
		r.codes.add(code, 1)
		r.classes.add(class, 1)
	}
	if r.sinceChore++; r.sinceChore >= choreEvery {
		r.sinceChore = 0
		r.chore()
	}
	deliver := len(r.pending) > 0 && !r.delivering
	r.mu.Unlock()
	if deliver {
		r.deliver()
	}
}

// cellOf is a journey in the phase that a time lies in, which most often is the
// phase of the record before.
func (r *Recorder) cellOf(in *int, ns int64, journey int) *cell {
	if p := *in; p >= len(r.phases) || !r.phases[p].holds(ns) {
		*in = r.phaseOf(ns)
	}
	of := &r.cells[*in*len(r.names)+journey]
	if *of == nil {
		*of = &cell{}
	}
	return *of
}

func (r *Recorder) phaseOf(ns int64) int {
	for p := range r.phases {
		if r.phases[p].holds(ns) {
			return p
		}
	}
	return len(r.phases)
}

func (r *Recorder) recordRetry(o loadgen.Outcome, sent bool, response int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.retries.Add(o)
	if sent {
		r.retryTimes.add(response, &r.memory)
	}
}
