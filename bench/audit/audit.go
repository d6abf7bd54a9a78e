// Package audit holds the client's own record of a run against the books as
// they lie on disk after the platform was killed. No store audits itself: this
// code opens them afterwards, replays every journal, and compares.
//
// Each check is a pure function in a file of its own, and a row of the table
// below. A failed check makes a result INVALID: whatever else it shows, it must
// not be believed.
package audit

import (
	"context"
	"fmt"

	"breakbank/bench/result"
	"breakbank/loadgen"
)

// Evidence is everything that an audit looks at.
type Evidence struct {
	// Books are the stores, read from disk, by name.
	Books Books
	// Records are the journeys of all schedules, as the clients saw them.
	Records []loadgen.Record
	// Drained says that the backlogs of advices, queued payments and reversals
	// were seen empty before the platform was killed. If they were not, what stand-in and
	// the queue had promised may still be on its way, and the audit fails.
	Drained bool
}

// check is a row of the table: what is claimed, and the function that tries to
// refute it.
type check struct {
	name string
	run  func(Evidence) finding
}

// finding is what a check found.
type finding struct {
	checked int64
	faults  faultList
}

// checks is the table.
var checks = []check{
	{"conservation", checkConservation},
	{"journal replays to the balances", checkReplay},
	{"opening balances", checkOpening},
	{"acknowledged exactly once", checkAcknowledged},
	{"rejected never", checkRejected},
	{"unknown at most once", checkUnknown},
	{"nothing that nobody asked for", checkAsked},
	{"advices applied once", checkAdvices},
	{"decisions right", checkDecisions},
	{"no account below its limit", checkLimits},
	{"backlogs drained", checkDrained},
	{"accounting", checkAccounting},
}

// Run makes every check and sums the figures that only the true book can tell.
func Run(e Evidence) result.Audit {
	a := result.Audit{Ran: true, Passed: true, Figures: figures(e)}
	for _, c := range checks {
		f := c.run(e)
		a.Checks = append(a.Checks, result.Check{
			Name: c.name, Passed: f.faults.none(), Checked: f.checked, Detail: f.faults.String(),
		})
		a.Passed = a.Passed && f.faults.none()
	}
	return a
}

// RunOnDisk opens the books below dir and audits them.
func RunOnDisk(ctx context.Context, dir string, records []loadgen.Record, drained bool) (result.Audit, error) {
	books, err := ReadBooks(ctx, dir)
	if err != nil {
		return result.Audit{}, fmt.Errorf("audit: %w", err)
	}
	return Run(Evidence{Books: books, Records: records, Drained: drained}), nil
}

func checkDrained(e Evidence) finding {
	f := finding{checked: 1}
	if !e.Drained {
		f.faults.add("advices, queued payments or reversals were still waiting when the platform was killed")
	}
	return f
}
