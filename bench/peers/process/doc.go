// Package process runs the programs that are compared as child processes that
// cannot outlive their parent, and reads how much processor time each one, with
// everything it started itself, has used, and how much memory it has.
//
// Both come from Linux: its clocks of other processes, to the nanosecond, ended
// threads included, and its count of resident pages. Elsewhere ErrNoClock says
// so.
package process
