package workers

import (
	"fmt"
	"time"
)

// Stage is how far a run, or one worker of it, has come.
type Stage uint8

// The stages, in their order.
const (
	// Joining: workers are waited for.
	Joining Stage = iota
	// Preparing: all are there; they draw the schedule and connect.
	Preparing
	// Running: all were told to go.
	Running
	// Ending: all were told to stop.
	Ending
	// Over: every worker has handed in its report, or was lost.
	Over
)

var stageNames = [...]string{"joining", "preparing", "running", "ending", "over"}

// String is the stage's name.
func (s Stage) String() string { return stageNames[s] }

// State is how a run stands.
type State struct {
	Stage Stage
	// Of is how many workers there must be, Joined how many there are, Ready how
	// many are or were ready to go, Done how many have reported, Lost how many
	// were lost.
	Of, Joined, Ready, Done, Lost int
	// Start is when the clocks of the workers start, by the coordinator's; zero
	// before Running.
	Start time.Time
	// Workers are those that have joined, by part.
	Workers []WorkerState
}

// WorkerState is how one worker stands.
type WorkerState struct {
	Name string
	Part int
	// Ready, Done and Lost are as in State.
	Ready, Done, Lost bool
	// Progress is what it told last.
	Progress Progress
}

// String is a line such as "2 of 4 workers joined".
func (s State) String() string {
	workers := "workers"
	if s.Of == 1 {
		workers = "worker"
	}
	switch s.Stage {
	case Joining:
		return fmt.Sprintf("%d of %d %s joined", s.Joined, s.Of, workers)
	case Preparing:
		return fmt.Sprintf("%d of %d %s ready", s.Ready, s.Of, workers)
	default:
		line := fmt.Sprintf("%d of %d %s done", s.Done, s.Of, workers)
		if s.Lost > 0 {
			line += fmt.Sprintf(", %d lost", s.Lost)
		}
		return line
	}
}

// Progress is what a worker tells while it runs.
type Progress struct {
	// Offered is what was due by now, Sent what was sent, Done what has ended,
	// Good what ended well, all since the load began.
	Offered  int64 `json:"offered"`
	Sent     int64 `json:"sent"`
	Done     int64 `json:"done"`
	Good     int64 `json:"good"`
	InFlight int64 `json:"in_flight"`
	Retries  int64 `json:"retries"`
	// Snapshot is whatever the caller shows besides, of ProgressMax bytes at
	// most: a serialised recording.
	Snapshot []byte `json:"-"`
}

const (
	// ProgressEach is how often a worker should tell how it goes.
	ProgressEach = 250 * time.Millisecond
	// ProgressMax bounds a snapshot on the way, in bytes. The coordinator keeps
	// the last of each worker.
	ProgressMax = 1 << 20
)
