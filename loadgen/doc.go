// Package loadgen offers the bank the load of its customers: an open-loop
// schedule drawn from a seed before the run, six journeys performed over the
// edges as the card network, the Faster Payments hub, phones and staff would,
// and one Record per journey with three clocks and exactly one outcome.
//
// What belongs here is what decides the load and what the client saw of it.
//
//	Plan ──Draw──> Schedule ──Run──> Record ──> Sink
//	 seed, pacer,    times,           intended,    recording.Recorder,
//	 mix, customers  journeys,        sent, done,  a journal, a live view
//	                 amounts          outcome
//
// Open loop means that the time of each request is fixed beforehand: a slow
// answer never delays the next question, so a stall of the bank shows in the
// latencies of everyone who came during it, and is not hidden by a generator
// that waited politely (coordinated omission).
//
// Sub-packages: recording keeps and writes what was seen; evidence says
// whether the generator itself kept to its schedule.
package loadgen
