package fault

import (
	"context"
	"errors"
	"fmt"
	"time"

	"breakbank/platform/process"
)

// withoutProcesses is why a platform may have none to aim at.
const withoutProcesses = "everything runs in one process here; bring it up with --topology processes"

// processLimit bounds how long the kernel may take to stop a process or to let
// it go on.
const processLimit = 5 * time.Second

// Signal is what can be done to a process.
type Signal string

// The signals of processes.
const (
	SignalKill     Signal = "kill"     // SIGKILL: it ends as in a power cut
	SignalStop     Signal = "stop"     // SIGSTOP: it stands still and keeps all it has
	SignalContinue Signal = "continue" // SIGCONT: it goes on
)

// ProcessState is a process as the kernel has it, told by whoever is its parent.
// PID and StartedAt together are one process and no other.
type ProcessState struct {
	PID       int
	StartedAt time.Time
	State     process.State
}

// ErrNoProcess says that there is no such process any more. It is said by
// whoever was its parent and has waited for its end, and by nobody who merely
// cannot reach it.
var ErrNoProcess = errors.New("there is no such process")

// ProcessVictims are the processes of a platform, besides the one that faults
// are injected from. It is safe for concurrent use.
type ProcessVictims interface {
	// Processes names them, each before those that it is signalled through:
	// service instances, then parts such as nodes, etcd-a1 and apiserver-a. There
	// are none where everything is one process.
	Processes() []string
	// SignalProcess does not wait until the signal has had its effect. A signal
	// that fails must not arrive later.
	SignalProcess(ctx context.Context, name string, s Signal) error
	// ProcessState says what runs by a name now. It is asked several times a
	// second for as long as a process is stopped. An error that is not
	// ErrNoProcess says that nobody knows.
	ProcessState(ctx context.Context, name string) (ProcessState, error)
}

// same says whether two states are of one process.
func (s ProcessState) same(other ProcessState) bool {
	return s.PID == other.PID && s.StartedAt.Equal(other.StartedAt)
}

// String names the process, such as "process 4711 of 17:02:03.250".
func (s ProcessState) String() string {
	return fmt.Sprintf("process %d of %s", s.PID, s.StartedAt.UTC().Format("15:04:05.000"))
}

// livingProcess finds a process that a signal can reach.
func livingProcess(ctx context.Context, v ProcessVictims, name string) (ProcessState, error) {
	s, err := v.ProcessState(ctx, name)
	switch {
	case err != nil:
		return s, fmt.Errorf("look at %s: %w", name, err)
	case s.State == process.Gone:
		return s, fmt.Errorf("%s does not run", name)
	}
	return s, nil
}

// successor looks for what became of a process: whether it is gone and, if so,
// what runs by its name now, if anything does.
func successor(ctx context.Context, v ProcessVictims, name string, was ProcessState) (now ProcessState, gone bool, err error) {
	now, err = v.ProcessState(ctx, name)
	switch {
	case errors.Is(err, ErrNoProcess):
		return ProcessState{State: process.Gone}, true, nil
	case err != nil:
		return now, false, err
	}
	return now, now.State == process.Gone || !now.same(was), nil
}
