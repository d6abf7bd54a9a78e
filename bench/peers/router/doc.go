// Package peers measures routers next to what a user would pick instead: what
// each costs in processor time a request, and what it adds to a request's
// latency.
//
//	            ┌ direct ──────────────────────────────┐
//	driver ─────┤ relay, frames, raw-codec             ├──> echo ×3
//	(this       │ haproxy, nginx, caddy                │    (one process)
//	 process)   └ each a process of its own ───────────┘
//
// A run is made of blocks. In a block every case (cases.go) is put to every peer
// (peers.go), in an order drawn anew: whatever the machine does meanwhile, it
// does to all of them. Every process is fresh in every block, and set up for the
// size of the messages that come. A cell is a case and a
// peer; each block gives one sample of it. What is compared is always samples of
// the same block, and blocks are what is drawn for the intervals.
package peers
