package workers

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"
)

// Job is what a worker is to do.
type Job struct {
	// Spec is the coordinator's.
	Spec json.RawMessage
	// Part of Parts is this worker's share: for loadgen.Runner.
	Part, Parts int
	// Worker is its name.
	Worker string

	link  *link
	ready bool
}

// Ready says that the schedule is drawn, connections are made, and all that
// remains is to go. It waits for the others and returns when this worker's
// clock starts, a moment from now. It is called once. An error means that the
// load will not begin; run should return it.
func (j *Job) Ready(ctx context.Context, scheduleSHA256 string) (start time.Time, err error) {
	if j.ready {
		return time.Time{}, errors.New("this worker has been ready before")
	}
	j.ready = true
	if err := j.link.say(sayReady, []byte(scheduleSHA256)); err != nil {
		return time.Time{}, err
	}
	select {
	case start := <-j.link.starts:
		return start, nil
	case <-ctx.Done():
		return time.Time{}, context.Cause(ctx)
	}
}

// Tell tells the coordinator how it goes; about every ProgressEach will do. It
// may wait for the network, so it is not for a goroutine that sends load. An
// error is of no consequence to the load: nothing was told.
func (j *Job) Tell(p Progress) error {
	if len(p.Snapshot) > ProgressMax {
		return fmt.Errorf("a snapshot of %d bytes is not told: %d are the most", len(p.Snapshot), ProgressMax)
	}
	return j.link.say(sayProgress, frame(must(p), p.Snapshot))
}

// ErrLost is the cause by which a run's context ends when the coordinator is
// gone, and what Join returns then.
var ErrLost = errors.New("the coordinator was lost")

// Stopped is the cause by which a run's context ends when the coordinator says
// so: what was measured is still to be reported. Join returns it only if the
// load had not begun.
type Stopped struct{ Why string }

// Error is one line.
func (s *Stopped) Error() string { return "the coordinator ended the run: " + s.Why }

// Refused is the error of a worker that may not take part.
type Refused struct{ Why string }

// Error is one line.
func (r *Refused) Error() string { return "the coordinator refused this worker: " + r.Why }

// Join takes part in one load of the coordinator at a URL, such as
// nats://TOKEN@host:port, under a name; empty is the host, the process id and
// the part. It returns nil when the report was handed in.
//
// run performs the load. Its context ends with ctx, when the coordinator says
// stop (Stopped), or when the coordinator is lost (ErrLost); run must then send
// nothing more and return soon what it has measured, without an error. An error
// of run is told to the coordinator and ends the load of all workers.
func Join(ctx context.Context, url, name string, run func(ctx context.Context, job *Job) (Report, error)) error {
	address, token, err := splitURL(url)
	if err != nil {
		return err
	}
	l, err := dial(ctx, address, token)
	if err != nil {
		return err
	}
	defer l.close()
	seat, err := l.hello(ctx, name)
	if err != nil {
		return err
	}

	// Two contexts: that of the run ends early for many reasons, that of the
	// link only with the coordinator, so that the rest can still be reported.
	linked, lose := context.WithCancelCause(context.WithoutCancel(ctx))
	defer lose(nil)
	running, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	l.watch(linked, seat.Silence, stop, lose)

	job := &Job{Part: seat.Part, Parts: seat.Parts, Worker: seat.Name, link: l}
	select {
	case job.Spec = <-l.jobs:
	case <-running.Done():
		return context.Cause(running)
	}
	report, err := run(running, job)
	if linked.Err() != nil {
		return context.Cause(linked)
	}
	if err == nil && !job.ready {
		err = errors.New("it returned without having been ready")
	}
	if err != nil {
		// If this cannot be told, the end of the connection says it.
		_ = l.ask(linked, seat.Silence, sayFailed, []byte(line(err.Error())))
		return err
	}
	report.Part, report.Parts = seat.Part, seat.Parts
	if ctx.Err() != nil && !wasStopped(running) {
		report.Reasons = append(report.Reasons, "it was stopped on its own machine")
	}
	return l.deliver(linked, seat.Silence, &report)
}

// wasStopped says whether it was the coordinator that ended a run.
func wasStopped(running context.Context) bool {
	var s *Stopped
	return errors.As(context.Cause(running), &s)
}
