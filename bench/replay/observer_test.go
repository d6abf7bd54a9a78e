package replay

import (
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"breakbank/bench/result"
)

// slow does not return from its first event until it is let go.
type slow struct {
	begun, release chan struct{}
	once           sync.Once
	last           string
	told           int
}

func (s *slow) Event(e result.Event) {
	s.once.Do(func() {
		close(s.begun)
		<-s.release
	})
	s.told++
	s.last = e.ID
}

func (s *slow) Second(result.Second) {}

// TestSlowObserver: an observer that stands still neither stops the run nor
// misses the newest news.
func TestSlowObserver(t *testing.T) {
	s := &slow{begun: make(chan struct{}), release: make(chan struct{})}
	telling := tell(s)
	event := func(id string) { telling.news(func(o Observer) { o.Event(result.Event{ID: id}) }) }
	event("first")
	<-s.begun
	for range 3 * observerQueue {
		event("middle")
	}
	event("last")
	close(s.release)
	telling.close()
	if s.last != "last" || s.told != 1+observerQueue {
		t.Errorf("told of %d events, the last %q; want %d and the last", s.told, s.last, 1+observerQueue)
	}
}

// TestTellingLeavesAStuckObserver: the end of a run waits for an observer no
// longer than tellMax, and nothing is told to it afterwards.
func TestTellingLeavesAStuckObserver(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &slow{begun: make(chan struct{}), release: make(chan struct{})}
		telling := tell(s)
		for _, id := range []string{"first", "second", "third"} {
			telling.news(func(o Observer) { o.Event(result.Event{ID: id}) })
		}
		<-s.begun
		begun := time.Now()
		telling.close()
		if took := time.Since(begun); took != tellMax {
			t.Errorf("waited for %v, want %v", took, tellMax)
		}
		close(s.release)
		<-telling.done
		if s.told != 1 {
			t.Errorf("told of %d events, stuck in the first", s.told)
		}
	})
}
