// Package replay plays a scenario on a running platform under load, and makes
// the result of it: it draws the load beforehand, takes the operator's steps in
// their time, watches the routers, waits for what was queued, and has the books
// audited after the platform was killed.
//
//	Prepare ──> Run.Play ──> result.Result, out/<run-id>/
//	 nothing     steps        ├ load      loadgen.Runner ──> recording.Keeper
//	 started     on the clock ├ watch     admin.WatchState, once a second
//	                          └ observer  live view, plain lines
package replay

import (
	"context"

	"google.golang.org/grpc"

	"breakbank/bench/result"
	"breakbank/loadgen"
)

// Platform is a running platform, as whoever assembled it hands it over. All
// else is asked of its control API.
type Platform interface {
	// Admin is a connection to the control API (admin.v1).
	Admin() grpc.ClientConnInterface
	// Done is closed when the platform has ended, wanted or not.
	Done() <-chan struct{}
	// Kill ends every process of it at once, as a power cut would, and waits
	// until they are gone. It may be called more than once.
	Kill()
	// StoresDir is where the book's stores lie, for the audit.
	StoresDir() string
}

// Offer sends a schedule; loadgen.Runner.Run is the one that is used outside
// tests.
type Offer func(ctx context.Context, runner loadgen.Runner, load Load) (loadgen.Summary, error)

// Auditor holds the records against the books in dir after the platform was
// killed. drained says whether the backlogs were seen empty before that, in
// time or not. It should return soon after ctx has ended; its audit is then
// discarded.
type Auditor func(ctx context.Context, dir string, records []loadgen.Record, drained bool) (result.Audit, error)

// Reporter writes files about a result into its directory.
type Reporter func(dir string, r *result.Result) error
