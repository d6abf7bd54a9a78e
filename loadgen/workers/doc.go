// Package workers has several processes, on one machine or on several, perform
// one schedule and give one result.
//
//	coordinator                                   worker, one a process
//	Listen ── URL ──────────────────────────────> Join
//	   Run   <──────────── hello ───────────────    │   (or it is refused)
//	         ───── its part of the parts, spec ──> run(ctx, job)
//	         <──── ready: the schedule's hash ────  │   draw, connect, settle: job.Ready
//	         ───────────── go, lead ─────────────>  │   its own clock starts
//	         <───── progress, four a second ──────  │   job.Tell
//	         <────── report, in pieces ───────────  ┘   what run returned
//	   Outcome
//
// Every worker draws the whole schedule and performs the arrivals whose number
// is its part modulo the parts, so that together they send each once
// (loadgen.Runner). What a worker measured is bytes to this package: its caller
// merges them.
//
// Both sides are heard from several times within Options.Silence. A worker that
// is not is lost: the rest finish, and the outcome says who was lost and which
// part of the schedule is not in it. A coordinator that is not ends the runs of
// its workers, so that no orphan goes on loading a target.
//
// They talk over a NATS server that the coordinator embeds, in clear text: the
// token keeps strangers out, not listeners. Between machines, use a network
// that you trust.
package workers
