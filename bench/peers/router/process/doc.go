// Package process runs the programs that are compared as child processes that
// cannot outlive their parent, and reads how much processor time each one, with
// everything it started itself, has used.
//
// Processor time comes from Linux: its clocks of other processes, to the
// nanosecond, ended threads included. Elsewhere ErrNoClock says so.
package process
