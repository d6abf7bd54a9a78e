package replay

import (
	"sync"

	"breakbank/bench/result"
)

// Observer is told what happens while it happens: the live view, or plain
// lines. Its methods are called from one goroutine, in the order of events.
type Observer interface {
	// Event tells of a step, a phase, a fault or a note.
	Event(e result.Event)
	// Second tells of a second that is over. Its counts are final enough to
	// watch; latency is left out.
	Second(s result.Second)
}

// observerQueue is how many tellings an observer may be behind. A terminal that
// was stopped with Ctrl-S must not stop the run, so beyond that the oldest news
// are lost; the result has all of them.
const observerQueue = 1024

// telling hands events to an observer on a goroutine of its own.
type telling struct {
	queue chan func(Observer)
	done  sync.WaitGroup
}

func tell(o Observer) *telling {
	t := &telling{queue: make(chan func(Observer), observerQueue)}
	t.done.Go(func() {
		for news := range t.queue {
			if o != nil {
				news(o)
			}
		}
	})
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

// close waits until everything was told.
func (t *telling) close() {
	close(t.queue)
	t.done.Wait()
}
