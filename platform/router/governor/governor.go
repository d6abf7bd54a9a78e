// Package governor keeps a process that mostly waits from paying for
// processors that it does not need.
//
// Go's scheduler wakes another thread whenever work appears and one of its
// processors (GOMAXPROCS) is idle. For a proxy at a low rate that is a wake-up
// for almost every request, of a thread that finds nothing left to do. With as
// many processors as there is work for, there is nobody to wake. So the number
// follows the load: it doubles at once when the process uses most of what it
// has, and falls by one when it has needed little for a while.
package governor

import (
	"context"
	"os"
	"runtime"
	"syscall"
	"time"
)

const (
	// tick is how often the load is looked at: short beside what a person
	// notices of a burst that begins on too few processors.
	tick = 100 * time.Millisecond
	// more is the share of its processors above which a process gets more, and
	// less the share below which, after calm ticks, it gets fewer. They are far
	// enough apart that halving what is there cannot lead straight back.
	more = 0.6
	less = 0.25
	calm = 10
)

// state is what the governor knows. It is pure.
type state struct {
	procs, cores int
	quiet        int // ticks in a row with little to do
}

// next is the state after a tick in which the process kept so many cores busy.
func (s state) next(busy float64) state {
	switch share := busy / float64(s.procs); {
	case share > more:
		s.procs, s.quiet = min(s.cores, 2*s.procs), 0
	case share >= less || s.procs == 1:
		s.quiet = 0
	default:
		if s.quiet++; s.quiet >= calm {
			s.procs, s.quiet = s.procs-1, 0
		}
	}
	return s
}

// Run lets GOMAXPROCS follow the load, from one on, until ctx ends; then it is
// what it was. It does nothing where GOMAXPROCS is set in the environment:
// somebody has decided.
func Run(ctx context.Context) {
	if os.Getenv("GOMAXPROCS") != "" {
		<-ctx.Done()
		return
	}
	s := state{procs: 1, cores: runtime.GOMAXPROCS(1)}
	defer runtime.GOMAXPROCS(s.cores)
	ticker := time.NewTicker(tick)
	defer ticker.Stop()
	at, used := time.Now(), cpuTime()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
		now, usedNow := time.Now(), cpuTime()
		was := s.procs
		s = s.next(float64(usedNow-used) / float64(now.Sub(at)))
		at, used = now, usedNow
		if s.procs != was {
			runtime.GOMAXPROCS(s.procs)
		}
	}
}

// cpuTime is what the process has used, in user and system mode.
func cpuTime() time.Duration {
	var u syscall.Rusage
	if syscall.Getrusage(syscall.RUSAGE_SELF, &u) != nil {
		return 0 // it fails for an invalid argument only
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
