package replay

import (
	"sync/atomic"
	"time"

	"breakbank/bench/result"
)

// Observer is told what happens while it happens: the live view, or plain
// lines. Its methods are called from one goroutine, in the order of events. A
// call that does not return, as of a terminal stopped with Ctrl-S, delays the
// end of a run by tellMax and outlives it; no other call follows it then.
type Observer interface {
	// Event tells of a step, a phase, a fault or a note.
	Event(e result.Event)
	// Second tells of a second that is over. Its counts are final enough to
	// watch; latency is left out.
	Second(s result.Second)
}

const (
	// observerQueue is how many tellings an observer may be behind. One that is
	// stuck must not stop the run, so beyond that the oldest news are lost; the
	// result has all of them.
	observerQueue = 1024
	// tellMax is how long the end of a run waits for an observer that is behind.
	tellMax = 2 * time.Second
)

// telling hands events to an observer on a goroutine of its own, which ends with
// close; only a call of the observer that is stuck can hold it longer.
type telling struct {
	queue chan func(Observer)
	left  atomic.Bool   // nobody waits any more
	done  chan struct{} // closed by the goroutine at its end
}

func tell(o Observer) *telling {
	t := &telling{queue: make(chan func(Observer), observerQueue), done: make(chan struct{})}
	go func() {
		defer close(t.done)
		for news := range t.queue {
			if o != nil && !t.left.Load() {
				news(o)
			}
		}
	}()
	return t
}

// news never blocks. It must not be called after close.
func (t *telling) news(f func(Observer)) {
	for {
		select {
		case t.queue <- f:
			return
		default:
		}
		select {
		case <-t.queue:
		default:
		}
	}
}

// close waits until everything was told, or tellMax has passed; then what is
// left stays untold.
func (t *telling) close() {
	close(t.queue)
	late := time.NewTimer(tellMax)
	defer late.Stop()
	select {
	case <-t.done:
	case <-late.C:
		t.left.Store(true)
	}
}
