package process

import (
	"errors"
	"fmt"
	"os"
	"time"
)

// ErrNoClock is returned where the system does not tell what other processes use.
var ErrNoClock = errors.New("the processor time and memory of other processes are read from Linux, and this is another system")

// ErrChanged is returned when a process of a tree ended or a new one came
// between two readings: what it used is lost, so the window is too.
var ErrChanged = errors.New("processes came or went while it was measured")

// Reading is the processor time, user and system, that each process of some
// trees has used so far, by process id.
type Reading map[int]time.Duration

// Read reads the trees below the children, themselves included.
func Read(children ...*Child) (Reading, error) {
	r := Reading{}
	for _, c := range children {
		if err := c.Err(); err != nil {
			return nil, err
		}
		ids, err := tree(c.PID())
		if err != nil {
			return nil, fmt.Errorf("list the processes of %s: %w", c.name, err)
		}
		for _, id := range ids {
			used, err := cpuTime(id)
			if err != nil {
				return nil, fmt.Errorf("read the processor time of %s: %w", c.name, err)
			}
			r[id] = used
		}
	}
	return r, nil
}

// Since is the processor time used between an earlier reading of the same
// trees and this one.
func (r Reading) Since(before Reading) (time.Duration, error) {
	var used time.Duration
	for id := range before {
		if _, here := r[id]; !here {
			return 0, ErrChanged
		}
	}
	for id, now := range r {
		was, here := before[id]
		if !here {
			return 0, ErrChanged
		}
		used += now - was
	}
	return used, nil
}

// Self reads this process alone, without its children.
func Self() (Reading, error) {
	id := os.Getpid()
	used, err := cpuTime(id)
	if err != nil {
		return nil, fmt.Errorf("read this process's processor time: %w", err)
	}
	return Reading{id: used}, nil
}
