package apiserver

import (
	"context"
	"errors"
	"fmt"
	"testing"

	"k8s.io/apimachinery/pkg/labels"
)

func entryAt(name string, revision int64) entry {
	return entry{name: name, revision: revision, json: []byte(`{}`), labels: labels.Set{"app": name}}
}

func TestCacheServesEventsAfterARevision(t *testing.T) {
	c := newCache()
	if _, _, err := c.subscribe(1); !errors.Is(err, errNotReady) {
		t.Errorf("before the first list: %v", err)
	}
	c.replace([]entry{entryAt("a", 3)}, 5)
	c.put(entryAt("b", 7))
	c.put(entryAt("a", 8))
	c.remove(entryAt("b", 9))
	for _, tc := range []struct {
		after int64
		want  string
	}{
		{5, "ADDED b 7, MODIFIED a 8, DELETED b 9, "},
		{6, "ADDED b 7, MODIFIED a 8, DELETED b 9, "},
		{7, "MODIFIED a 8, DELETED b 9, "},
		{9, ""},
		{20, ""},
	} {
		past, w, err := c.subscribe(tc.after)
		if err != nil {
			t.Fatal(err)
		}
		c.unsubscribe(w)
		got := ""
		for _, ev := range past {
			got += fmt.Sprintf("%s %s %d, ", ev.kind, ev.object.name, ev.revision)
		}
		if got != tc.want {
			t.Errorf("after %d: %q, want %q", tc.after, got, tc.want)
		}
	}
	if _, _, err := c.subscribe(4); !errors.Is(err, errTooOld) {
		t.Errorf("from before the list: %v", err)
	}
}

func TestCacheWindowIsBounded(t *testing.T) {
	c := newCache()
	c.replace(nil, 1)
	for revision := int64(2); revision < 10*eventWindow; revision++ {
		c.put(entryAt("a", revision))
	}
	if n := len(c.window); n < eventWindow || n > 2*eventWindow {
		t.Errorf("window of %d events", n)
	}
	if _, _, err := c.subscribe(c.oldest - 1); !errors.Is(err, errTooOld) {
		t.Errorf("beyond the window: %v", err)
	}
	past, _, err := c.subscribe(c.oldest)
	if err != nil || past[0].revision != c.oldest+1 {
		t.Errorf("oldest that is kept: %d after %d, %v", past[0].revision, c.oldest, err)
	}
}

// A watcher that does not read is dropped; the cache and the others go on.
func TestCacheDropsSlowWatchers(t *testing.T) {
	c := newCache()
	c.replace(nil, 1)
	_, slow, err := c.subscribe(1)
	if err != nil {
		t.Fatal(err)
	}
	_, quick, err := c.subscribe(1)
	if err != nil {
		t.Fatal(err)
	}
	const sent = 2 * watcherQueue
	for i := int64(0); i < sent; i++ {
		c.put(entryAt("a", 2+i))
		if ev := <-quick.events; ev.revision != 2+i {
			t.Fatalf("quick watcher got %d, want %d", ev.revision, 2+i)
		}
	}
	got := 0
	for range slow.events {
		got++
	}
	if got != watcherQueue || slow.gone {
		t.Errorf("slow watcher got %d events before it was dropped (gone %t)", got, slow.gone)
	}
	c.replace(nil, 100_000)
	if _, open := <-quick.events; open || !quick.gone {
		t.Error("a new list must send watchers to list again")
	}
}

func TestCacheWaitsForARevision(t *testing.T) {
	c := newCache()
	if err := c.waitFor(t.Context(), 0); !errors.Is(err, errNotReady) {
		t.Errorf("not ready: %v", err)
	}
	c.replace(nil, 5)
	done := make(chan error)
	go func() { done <- c.waitFor(t.Context(), 6) }()
	c.progress(6)
	if err := <-done; err != nil {
		t.Error(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := c.waitFor(ctx, 7); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %v", err)
	}
}

func TestSelectorTurnsChangesIntoComingsAndGoings(t *testing.T) {
	s, err := parseSelector("app=a", "")
	if err != nil {
		t.Fatal(err)
	}
	a, b := entryAt("a", 1), entryAt("b", 2)
	for _, tc := range []struct {
		ev   event
		want string
	}{
		{event{kind: added, object: a}, added},
		{event{kind: added, object: b}, ""},
		{event{kind: modified, before: a, object: a}, modified},
		{event{kind: modified, before: b, object: a}, added},
		{event{kind: modified, before: a, object: b}, deleted},
		{event{kind: modified, before: b, object: b}, ""},
		{event{kind: deleted, object: a}, deleted},
		{event{kind: deleted, object: b}, ""},
		{event{kind: bookmark}, bookmark},
	} {
		got, visible := s.filter(tc.ev)
		if got.kind != tc.want || visible != (tc.want != "") {
			t.Errorf("%s %s→%s: %q, want %q", tc.ev.kind, tc.ev.before.name, tc.ev.object.name, got.kind, tc.want)
		}
	}
}
