package workers

import (
	"fmt"
	"time"
)

// Outcome is what became of a run.
type Outcome struct {
	// ScheduleSHA256 is that of the schedule that all workers drew.
	ScheduleSHA256 string
	// Start is when the clocks of the workers started, by the coordinator's.
	Start time.Time
	// Reports are those of the workers that finished, by part.
	Reports []Report
	// Lost are the workers that did not, by part.
	Lost []Lost
	// Partial is set when the load was stopped before its end, and Stopped says
	// why.
	Partial bool
	Stopped string
}

// Lost is a worker that did not hand in its report.
type Lost struct {
	Worker string
	// Part of Parts is the share of the schedule that is lost with it, from 0.
	Part, Parts int
	// Why is how it was lost.
	Why string
	// Last is what it told last; it is in no report.
	Last Progress
}

// String is one line.
func (l *Lost) String() string {
	return fmt.Sprintf("worker %s was lost (%s): part %d of %d of the schedule is not in the result", l.Worker, l.Why, l.Part+1, l.Parts)
}

// InvalidReasons say why the outcome must not be believed: who was lost and
// which part of the schedule with it, who stopped early, and what the workers
// say of themselves. Empty means that nothing is known against it. That the
// whole load was stopped is Partial, and no reason here.
func (o *Outcome) InvalidReasons() []string {
	reasons := []string{}
	for i := range o.Lost {
		reasons = append(reasons, o.Lost[i].String())
	}
	for i := range o.Reports {
		r := &o.Reports[i]
		if r.Summary.Interrupted && !o.Partial {
			reasons = append(reasons, fmt.Sprintf("worker %s stopped before the end of the schedule, of which it had part %d of %d", r.Worker, r.Part+1, r.Parts))
		}
		for _, reason := range r.Reasons {
			reasons = append(reasons, fmt.Sprintf("worker %s: %s", r.Worker, line(reason)))
		}
	}
	return reasons
}

// Failure is a worker's word that it cannot go on, which ends the run.
type Failure struct {
	Worker string
	Reason string
}

// Error is one line.
func (f *Failure) Error() string { return "worker " + f.Worker + ": " + f.Reason }
