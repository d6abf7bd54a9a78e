package sim

import (
	"cmp"
	"slices"
	"time"
)

// sharing is processor sharing: n jobs on c cores get c/n of a core each, at
// most a whole one. Rather than count down every job at every change, it keeps
// one clock of the work that each job present has been given,
//
//	given(t) = ∫ min(1, c/n) dt
//
// and a job that needs work w and comes at t is done when given = given(t) + w.
type sharing struct {
	cores float64
	took  func(now, work time.Duration) time.Duration
	jobs  []share // by doneAt, the last is done first
	given float64 // in ns
	asOf  time.Duration
}

type share struct {
	attempt int32
	work    time.Duration
	doneAt  float64 // on the clock of work given
}

func newSharing(cores int, took func(now, work time.Duration) time.Duration) station {
	return &sharing{cores: float64(cores), took: took}
}

// rate is how fast every job proceeds.
func (s *sharing) rate() float64 { return min(1, s.cores/float64(len(s.jobs))) }

// advance brings the clock of work given up to now.
func (s *sharing) advance(now time.Duration) {
	if len(s.jobs) > 0 {
		s.given += float64(now-s.asOf) * s.rate()
	}
	s.asOf = now
}

func (s *sharing) enter(now time.Duration, j job) {
	s.advance(now)
	work := s.took(now, j.work)
	one := share{j.attempt, work, s.given + float64(work)}
	at, _ := slices.BinarySearchFunc(s.jobs, one, func(a, b share) int { return cmp.Compare(b.doneAt, a.doneAt) })
	s.jobs = slices.Insert(s.jobs, at, one)
}

func (s *sharing) next() time.Duration {
	if len(s.jobs) == 0 {
		return never
	}
	left := s.jobs[len(s.jobs)-1].doneAt - s.given
	// Rounded up, or the clock might still stand just before it.
	return s.asOf + max(0, time.Duration(left/s.rate())+1)
}

func (s *sharing) depart(now time.Duration) (int32, time.Duration) {
	s.advance(now)
	last := s.jobs[len(s.jobs)-1]
	s.jobs = s.jobs[:len(s.jobs)-1]
	return last.attempt, last.work
}

// withdraw: all are being served.
func (s *sharing) withdraw(int32) bool { return false }

func (s *sharing) load() int { return len(s.jobs) }

func (s *sharing) close(each func(attempt int32)) {
	for _, j := range s.jobs {
		each(j.attempt)
	}
	s.jobs = s.jobs[:0]
}
