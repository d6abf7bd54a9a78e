package sim

import (
	"slices"
	"time"
)

// never is later than any run.
const never = time.Duration(1<<63 - 1)

// job is an attempt at an instance: its place in the pool of attempts, and the
// work that it is.
type job struct {
	attempt int32
	work    time.Duration
}

// station is an instance's queue and workers. It plans nothing itself: whoever
// changes it asks next afterwards.
type station interface {
	// enter takes a job.
	enter(now time.Duration, j job)
	// next is when the first of the jobs is done if nothing else happens;
	// never if there is none.
	next() time.Duration
	// depart removes the job that is done now, which next has promised, and
	// returns how long it took a worker.
	depart(now time.Duration) (attempt int32, worked time.Duration)
	// withdraw removes a job that still waits; false if it is being served,
	// and will be to its end: a server seldom notices that its caller left.
	withdraw(attempt int32) bool
	// load is how many jobs are here.
	load() int
	// close hands over all jobs that are here.
	close(each func(attempt int32))
}

// fifo is a queue in front of workers that serve one job each.
type fifo struct {
	workers int
	took    func(now, work time.Duration) time.Duration
	serving []served
	waiting []job // from head on
	head    int
}

type served struct {
	attempt     int32
	began, done time.Duration
}

func newFIFO(workers int, took func(now, work time.Duration) time.Duration) station {
	return &fifo{workers: workers, took: took, serving: make([]served, 0, workers)}
}

func (f *fifo) enter(now time.Duration, j job) {
	if len(f.serving) < f.workers {
		f.serve(now, j)
		return
	}
	if len(f.waiting) == cap(f.waiting) && f.head > 0 { // move up rather than grow
		n := copy(f.waiting, f.waiting[f.head:])
		f.waiting, f.head = f.waiting[:n], 0
	}
	f.waiting = append(f.waiting, j)
}

func (f *fifo) serve(now time.Duration, j job) {
	f.serving = append(f.serving, served{j.attempt, now, now + f.took(now, j.work)})
}

func (f *fifo) next() time.Duration {
	if len(f.serving) == 0 {
		return never
	}
	return f.serving[f.first()].done
}

// first is which of the workers is done first; there are few.
func (f *fifo) first() int {
	first := 0
	for i := range f.serving {
		if f.serving[i].done < f.serving[first].done {
			first = i
		}
	}
	return first
}

func (f *fifo) depart(now time.Duration) (int32, time.Duration) {
	i := f.first()
	s := f.serving[i]
	f.serving = slices.Delete(f.serving, i, i+1)
	if f.head < len(f.waiting) {
		f.head++
		f.serve(now, f.waiting[f.head-1])
	}
	return s.attempt, now - s.began
}

// withdraw looks from the head: all are equally patient, so whoever gives up
// has waited longest.
func (f *fifo) withdraw(attempt int32) bool {
	for i := f.head; i < len(f.waiting); i++ {
		if f.waiting[i].attempt != attempt {
			continue
		}
		if i == f.head {
			f.head++
		} else {
			f.waiting = slices.Delete(f.waiting, i, i+1)
		}
		return true
	}
	return false
}

func (f *fifo) load() int { return len(f.serving) + len(f.waiting) - f.head }

func (f *fifo) close(each func(attempt int32)) {
	for _, s := range f.serving {
		each(s.attempt)
	}
	for _, j := range f.waiting[f.head:] {
		each(j.attempt)
	}
	f.serving, f.waiting, f.head = f.serving[:0], f.waiting[:0], 0
}
