// Package loadgen measures load generators next to what a user would pick
// instead: what each costs in processor time a request, how well it keeps to a
// rate, and whether what it reports of a server is true.
//
//	                  ┌ breakbank (open loop), breakbank-closed
//	null server <─────┤ ghz
//	(a process of     │ h2load
//	 its own)         └ each a process of its own
//
// A run is made of blocks. In a block every case (cases.go) is put to every
// generator (generators.go), in an order drawn anew, against servers that are
// fresh: whatever the machine does meanwhile, it does to all of them. A cell is a
// case and a generator; each block gives one sample of it. What is compared is
// always samples of the same block, and blocks are what is drawn for the
// intervals.
//
// What a generator costs and what rate it reaches is read from outside: its
// processor time from the system, its requests from the server, which counts
// them. Only what a generator reports of the server is its own word, and the
// server is one of known misbehaviour (loadgen/nullserver), so that the truth is
// computed beforehand.
package loadgen
