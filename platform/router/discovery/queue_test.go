package discovery

import (
	"context"
	"fmt"
	"testing"
	"testing/synctest"

	"pgregory.net/rapid"
)

func changedAt(revision int64) Event { return Changed{Session: 1, Revision: revision} }

func recordKey(name string) queueKey { return queueKey{session: 1, record: name} }

// Whatever is put in and however often it is taken: the newest change of each
// record comes out, in the order of revisions, and everything that is no change
// comes out.
func TestQueueKeepsTheNewest(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		q := newQueue()
		var batch []queued
		last := int64(0)
		newest, told := map[string]int64{}, map[string]int64{}
		bookmarks, bookmarked := 0, 0
		take := func() {
			batch = q.take(batch)
			for _, e := range batch {
				switch event := e.event.(type) {
				case Changed:
					if event.Revision <= last {
						t.Fatalf("revision %d after %d", event.Revision, last)
					}
					last = event.Revision
					told[e.key.record] = event.Revision
				case Bookmark:
					bookmarked++
				}
			}
		}
		records := rapid.IntRange(1, 2*conflateFrom).Draw(t, "records")
		for revision := range int64(rapid.IntRange(0, 1500).Draw(t, "events")) {
			switch rapid.IntRange(0, 400).Draw(t, "what") {
			case 0:
				take()
			case 1:
				q.put(t.Context(), Bookmark{Session: 1, Revision: revision}, queueKey{})
				bookmarks++
			default:
				name := fmt.Sprint(rapid.IntRange(0, records-1).Draw(t, "record"))
				q.put(t.Context(), changedAt(revision+1), recordKey(name))
				newest[name] = revision + 1
			}
			if len(q.events) > 2*queueEvents || q.live > queueEvents {
				t.Fatalf("%d events are held, %d alive", len(q.events), q.live)
			}
		}
		take()
		if fmt.Sprint(told) != fmt.Sprint(newest) || bookmarked != bookmarks {
			t.Fatalf("told %v and %d bookmarks, want %v and %d", told, bookmarked, newest, bookmarks)
		}
	})
}

// Who keeps up is told everything.
func TestQueueConflatesOnlyUnderAFlood(t *testing.T) {
	q := newQueue()
	for revision := range int64(conflateFrom) {
		q.put(t.Context(), changedAt(revision), recordKey("ledger"))
	}
	if len(q.take(nil)) != conflateFrom || q.replaced() != 0 {
		t.Errorf("%d were replaced", q.replaced())
	}
	for revision := range int64(10 * queueEvents) {
		q.put(t.Context(), changedAt(revision), recordKey("ledger"))
	}
	if q.live != conflateFrom || q.replaced() != 10*queueEvents-conflateFrom {
		t.Errorf("%d are left, %d were replaced", q.live, q.replaced())
	}
}

// A full queue makes its writers wait, until there is room or they are stopped.
func TestQueueIsBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := newQueue()
		for i := range queueEvents {
			q.put(t.Context(), changedAt(int64(i)), recordKey(fmt.Sprint(i)))
		}
		ctx, stop := context.WithCancel(t.Context())
		done := make(chan struct{}, 2)
		for i, ctx := range []context.Context{ctx, t.Context()} {
			go func() {
				q.put(ctx, Bookmark{Revision: int64(i)}, queueKey{})
				done <- struct{}{}
			}()
		}
		synctest.Wait()
		if len(done) != 0 {
			t.Error("one did not wait")
		}
		stop()
		synctest.Wait()
		if len(done) != 1 || q.live != queueEvents {
			t.Errorf("%d have gone on, %d events", len(done), q.live)
		}
		if taken := q.take(nil); len(taken) != queueEvents {
			t.Errorf("took %d", len(taken))
		}
		synctest.Wait()
		if len(done) != 2 || q.live != 1 {
			t.Errorf("%d have gone on, %d events", len(done), q.live)
		}
	})
}

// BenchmarkQueue is one event through the queue.
func BenchmarkQueue(b *testing.B) {
	q := newQueue()
	var batch []queued
	b.ReportAllocs()
	for i := range b.N {
		q.put(b.Context(), Bookmark{Revision: int64(i)}, recordKey("ledger"))
		batch = q.take(batch)
	}
}
