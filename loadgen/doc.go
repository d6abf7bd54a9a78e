// Package loadgen offers load to servers: an open-loop schedule drawn from a
// seed before the run, journeys of one or more calls, and one Record for each
// with three clocks and exactly one outcome. It is a library; breakbank load is
// a shell over it.
//
//	Plan ──Draw──> Schedule ──Runner.Run──> Record ──> Sink
//	 seed, pacer,    times,      │           intended,   recording.Recorder,
//	 journeys,       journeys,   │           sent, done, a journal, a live view
//	 population      amounts     v           outcome
//	                         transport.Transport
//
// Open loop means that the time of each request is fixed beforehand: a slow
// answer never delays the next question, so a stall of the target shows in the
// latencies of everyone who came during it, and is not hidden by a generator
// that waited politely (coordinated omission).
//
// A journey has no goroutine. One goroutine begins what is due; from then on the
// end of each call decides what its journey does next, on whatever goroutine
// brings it (decision 6).
//
// Sub-packages: pacer says when, draw is the randomness, transport carries the
// calls, method makes journeys of any gRPC method and customers those of the
// bank, recording keeps what was seen, evidence says whether the generator kept
// to its schedule, workers makes several processes one load, and nullserver is
// what a generator is held against.
package loadgen
