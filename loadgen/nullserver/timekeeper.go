package nullserver

import (
	"container/heap"
	"sync"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"
	"google.golang.org/grpc/codes"

	"breakbank/loadgen/nap"
	"breakbank/platform/wire"
)

const (
	// fineSleep is how long before its time a wait changes from the runtime's
	// timers, which may wake up a millisecond late, to naps, which are exact to
	// some 0.1 ms.
	fineSleep = 2 * time.Millisecond
	// napMax is how late an answer may come that is due sooner than those that
	// are waited for.
	napMax = 250 * time.Microsecond
	// flushEach is how many answers that are due at once leave together: whoever
	// reads them can begin while the others are written.
	flushEach = 64
	// servedMax and servedDigits bound the histogram of served times.
	servedMax    = takesMax
	servedDigits = 3
)

// timekeeper sends answers when they are due, from one goroutine. How many it
// holds is bounded by the streams that connections may have open
// (wire.DefaultMaxStreams each).
type timekeeper struct {
	reply func(b *wire.Batch, s *wire.Stream, code codes.Code)
	wake  chan struct{}

	mu     sync.Mutex
	due    dueHeap
	seq    uint64
	served *hdrhistogram.Histogram
}

// owed is an answer that waits for its time.
type owed struct {
	at, since time.Time
	seq       uint64 // of those due at once, the first to come goes first
	stream    *wire.Stream
	code      codes.Code
}

func newTimekeeper(reply func(*wire.Batch, *wire.Stream, codes.Code)) *timekeeper {
	return &timekeeper{
		reply: reply, wake: make(chan struct{}, 1), served: newTimes(),
	}
}

func newTimes() *hdrhistogram.Histogram {
	return hdrhistogram.New(1, servedMax.Nanoseconds(), servedDigits)
}

// add takes an answer to be sent at a time to a call that came at another.
func (k *timekeeper) add(at, since time.Time, s *wire.Stream, code codes.Code) {
	k.mu.Lock()
	k.seq++
	seq := k.seq
	heap.Push(&k.due, owed{at: at, since: since, seq: seq, stream: s, code: code})
	first := k.due[0].seq == seq
	k.mu.Unlock()
	if first {
		select {
		case k.wake <- struct{}{}:
		default:
		}
	}
}

// run sends what is due until done is closed.
func (k *timekeeper) run(done <-chan struct{}) {
	timer := time.NewTimer(time.Hour)
	defer timer.Stop()
	var b wire.Batch
	var sent []time.Time
	for {
		var next time.Time
		sent, next = k.send(&b, sent[:0])
		timer.Stop()
		switch left := time.Until(next); {
		case next.IsZero():
		case left <= 0:
			continue
		case left <= fineSleep:
			nap.For(min(left, napMax))
			select {
			case <-done:
				return
			default:
				continue
			}
		default:
			timer.Reset(left - fineSleep)
		}
		select {
		case <-timer.C:
		case <-k.wake:
		case <-done:
			return
		}
	}
}

// send sends what is due, and says when more is; the zero time: nothing is. sent
// is for its use.
func (k *timekeeper) send(b *wire.Batch, sent []time.Time) ([]time.Time, time.Time) {
	now := time.Now()
	for {
		k.mu.Lock()
		if len(k.due) == 0 || k.due[0].at.After(now) {
			var next time.Time
			if len(k.due) > 0 {
				next = k.due[0].at
			}
			k.mu.Unlock()
			return k.flush(b, sent), next
		}
		o := heap.Pop(&k.due).(owed)
		k.mu.Unlock()
		k.reply(b, o.stream, o.code)
		if sent = append(sent, o.since); len(sent) == flushEach {
			sent = k.flush(b, sent)
		}
	}
}

// flush lets answers leave to calls that came at these times, and notes how long
// they took.
func (k *timekeeper) flush(b *wire.Batch, since []time.Time) []time.Time {
	if len(since) == 0 {
		return since
	}
	b.Flush()
	gone := time.Now()
	k.mu.Lock()
	for _, came := range since {
		// A value in the range is never refused.
		_ = k.served.RecordValue(min(gone.Sub(came).Nanoseconds(), servedMax.Nanoseconds()))
	}
	k.mu.Unlock()
	return since[:0]
}

// times is a copy of the histogram of the times that answers took which were not
// given at once.
func (k *timekeeper) times() *hdrhistogram.Histogram {
	k.mu.Lock()
	defer k.mu.Unlock()
	return hdrhistogram.Import(k.served.Export())
}

// dueHeap is a heap by time, then by order of arrival.
type dueHeap []owed

func (h dueHeap) Len() int      { return len(h) }
func (h dueHeap) Swap(i, j int) { h[i], h[j] = h[j], h[i] }
func (h dueHeap) Less(i, j int) bool {
	if !h[i].at.Equal(h[j].at) {
		return h[i].at.Before(h[j].at)
	}
	return h[i].seq < h[j].seq
}

// Push implements heap.Interface.
func (h *dueHeap) Push(x any) { *h = append(*h, x.(owed)) }

// Pop implements heap.Interface.
func (h *dueHeap) Pop() any {
	last := len(*h) - 1
	o := (*h)[last]
	(*h)[last] = owed{}
	*h = (*h)[:last]
	return o
}
