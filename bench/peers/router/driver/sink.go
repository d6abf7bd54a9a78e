package driver

import (
	"sync"
	"time"

	"breakbank/loadgen"
)

// sink counts what ends on one connection. The connection's own goroutine is
// nearly alone with it, so that its lock is nearly always free; calls that are
// not sent come from the generator's.
type sink struct {
	run *run

	mu       sync.Mutex
	measured Measured
}

// record takes a call in.
func (s *sink) record(r *loadgen.Record) {
	s.mu.Lock()
	defer s.mu.Unlock()
	m, l := &s.measured, &s.run.load
	inTime := s.run.inWindow(r.DoneNs)
	counted := inTime
	if l.open() {
		counted = l.due(r.IntendedNs)
	}
	if counted {
		m.Due++
	}
	switch {
	case r.Outcome == loadgen.OK:
		if inTime {
			m.Done++
			s.run.note()
		}
	case !r.Sent() && l.open():
		if counted {
			m.Unsent++
		}
	case s.run.impatient.Load() && (!r.Sent() || r.Code == loadgen.CodeLost):
		m.Unanswered++
	default:
		m.Failed++
		m.Errors[says(r.Decision)]++
		s.run.fail()
	}
	if counted && r.Sent() {
		record(m.Response, r.DoneNs-r.IntendedNs)
		record(m.Service, r.DoneNs-r.SentNs)
		record(m.SendDelay, r.SentNs-r.IntendedNs)
	}
}

// says is a failure in words.
func says(d loadgen.Decision) string {
	switch {
	case d.Code == "":
		return d.Err
	case d.Err == "":
		return d.Code
	}
	return d.Code + ": " + d.Err
}

// due says whether a call that is due then belongs to the window.
func (l *Load) due(intendedNs int64) bool {
	at := time.Duration(intendedNs)
	return at >= l.Settle && at < l.Settle+l.Window
}
