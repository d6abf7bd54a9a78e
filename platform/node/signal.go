package node

import "fmt"

// Signal is what can be done to an instance's process from outside.
type Signal int

// Signals.
const (
	// SignalKill ends it at once (SIGKILL).
	SignalKill Signal = iota + 1
	// SignalStop freezes it until SignalContinue (SIGSTOP, SIGCONT): its
	// connections stay and say nothing.
	SignalStop
	SignalContinue
)

// String is the signal's name, such as kill.
func (s Signal) String() string {
	switch s {
	case SignalKill:
		return "kill"
	case SignalStop:
		return "stop"
	case SignalContinue:
		return "continue"
	}
	return fmt.Sprintf("signal %d", int(s))
}
