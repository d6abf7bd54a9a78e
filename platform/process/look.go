package process

import "time"

// State is what a process is doing, as far as the kernel tells.
type State string

// The states of a process.
const (
	// Running is one that may run, also if it waits for something.
	Running State = "running"
	// Stopped is one that a signal has stopped (SIGSTOP), or a debugger.
	Stopped State = "stopped"
	// Gone is one that has ended.
	Gone State = "gone"
)

// Status is what the kernel tells of a process, whoever started it.
type Status struct {
	State State
	// StartedAt is when it started. Where the kernel tells, it is the same each
	// time, and differs from that of an earlier process with the same number;
	// it may be up to a second off. It is zero where the kernel does not tell,
	// and for what is gone.
	StartedAt time.Time
}
