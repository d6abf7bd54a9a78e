package supervise

import (
	"errors"
	"fmt"
	"os/exec"
	"syscall"
	"time"

	"breakbank/platform/process"
)

// State is what a part is doing.
type State string

// The states of a part.
const (
	Running State = "running"
	Paused  State = "paused"  // stopped by a signal; it keeps all it has
	Waiting State = "waiting" // it has ended and is about to be started again
	Down    State = "down"    // it stays down until somebody starts it
)

// Status is a part as it stands.
type Status struct {
	Name  string
	State State
	// PID and StartedAt are those of its process, or of the latest one if none
	// runs.
	PID       int
	StartedAt time.Time
	// Restarts counts the processes that it has had, less the first.
	Restarts int64
	// LastExit says when and how the process before ended, and why if it could
	// not be started; empty if none has.
	LastExit string
	// CrashLoop says so if it ends again and again before it has settled; empty
	// if it does not.
	CrashLoop string
}

// Process is what the kernel says of the part's process.
func (s Status) Process() process.State {
	switch s.State {
	case Running:
		return process.Running
	case Paused:
		return process.Stopped
	}
	return process.Gone
}

// exitWords says how a process ended.
func exitWords(err error) string {
	if err == nil {
		return "with exit status 0"
	}
	exit, ok := errors.AsType[*exec.ExitError](err)
	if !ok {
		return "with " + err.Error()
	}
	if status, ok := exit.Sys().(syscall.WaitStatus); ok && status.Signaled() {
		return fmt.Sprintf("by signal %d (%s)", status.Signal(), status.Signal())
	}
	return "with " + exit.String()
}

// crashLoop says so if a part is in one: it has ended early so many times in a
// row, and has run for so long now.
func crashLoop(early int, runs time.Duration) string {
	if early < loopFrom || runs >= settledAfter {
		return ""
	}
	return fmt.Sprintf("it has ended %d times in a row, each time within %v of its start", early, settledAfter)
}

// stateOf is what a process is doing.
func stateOf(p *process.Process) State {
	switch p.State() {
	case process.Stopped:
		return Paused
	case process.Gone:
		return Waiting
	}
	return Running
}
