// Package load is the body of `breakbank load`: it offers a load to any gRPC
// service, or to the bank, and says what was measured and whether it may be
// believed.
//
//	Spec ──Resolve──> Spec ──Run──> Result ──> Text, Write (JSON, CSV, HDR logs, HTML)
//	what was asked    nothing left   │
//	                  to look up     └──> Observer: a live view, while it runs
//
// The load is open loop: drawn from the seed before it begins, hashed, and kept
// to whatever the target does. Where the machine could not keep to it, the
// result says so and is INVALID.
package load
