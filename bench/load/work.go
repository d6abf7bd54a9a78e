package load

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"breakbank/loadgen/workers"
)

// Work takes part in one load of the coordinator at a URL, under a name, which
// may be empty. It returns when its report was handed in.
func Work(ctx context.Context, url, name string) error {
	return workers.Join(ctx, url, name, work)
}

// work performs one worker's part.
func work(ctx context.Context, j *workers.Job) (workers.Report, error) {
	var told job
	if err := json.Unmarshal(j.Spec, &told); err != nil {
		return workers.Report{}, fmt.Errorf("read what to do: %w", err)
	}
	p, err := newPlay(told.Spec, told.RunID, j.Part, j.Parts)
	if err != nil {
		return workers.Report{}, err
	}
	defer p.close()
	if err := p.connect(ctx); err != nil {
		return workers.Report{}, err
	}
	defer steadyHeap()()
	start, err := j.Ready(ctx, p.main.schedule.SHA256())
	if err != nil {
		return workers.Report{}, err
	}
	m, err := p.run(ctx, start, tellEach, func(f frame) { tell(j, f) })
	if err != nil {
		return workers.Report{}, err
	}
	// Without it, what was done since the last look would be missing from what
	// the coordinator shows until the others are done too.
	tell(j, p.main.look(time.Since(start.Add(p.lead()))))
	return m.report()
}

// tellEach is how often a worker tells: twice for each tick of the coordinator,
// since each takes a copy of the recording.
const tellEach = 500 * time.Millisecond

// tell says how it goes. What does not get through is of no consequence.
func tell(j *workers.Job, f frame) {
	progress := workers.Progress{
		Offered: f.Offered, Sent: f.Sent, Done: f.Done, Good: f.Good, InFlight: f.InFlight, Retries: f.Retries,
	}
	if data, err := f.encode(); err == nil && len(data) <= workers.ProgressMax {
		progress.Snapshot = data
	}
	_ = j.Tell(progress)
}
