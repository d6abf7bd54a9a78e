package book_test

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"strconv"
	"sync/atomic"
	"testing"
	"time"

	"breakbank/platform/book"
	"breakbank/platform/book/booktest"
	"breakbank/platform/events"
	eventsv1 "breakbank/proto/events/v1"
)

// eventually waits for a condition.
func eventually(t *testing.T, what string, holds func() bool) {
	t.Helper()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for deadline := time.Now().Add(10 * time.Second); time.Now().Before(deadline); <-tick.C {
		if holds() {
			return
		}
	}
	t.Fatalf("never: %s", what)
}

func startEvents(t *testing.T, dir string, port int) (*events.Server, int) {
	t.Helper()
	s, err := events.StartServer(events.ServerConfig{Dir: dir, Port: port})
	if err != nil {
		t.Fatal(err)
	}
	u, err := url.Parse(s.URL())
	if err != nil {
		t.Fatal(err)
	}
	if port, err = strconv.Atoi(u.Port()); err != nil {
		t.Fatal(err)
	}
	return s, port
}

func startRelay(t *testing.T, store *book.Pebble, url string) *book.Relay {
	t.Helper()
	r := book.StartRelay(book.RelayConfig{
		Name: "ledger", Store: store,
		Open: func(ctx context.Context) (book.Outlet, error) { return events.OpenOutlet(ctx, url) },
	})
	t.Cleanup(r.Stop)
	return r
}

// applyMany opens the account and posts until the journal ends at to.
func applyMany(t *testing.T, store *book.Pebble, to int64) {
	t.Helper()
	for n := store.Tail() + 1; n <= to; n++ {
		op := booktest.Op(fmt.Sprint("p", n), booktest.Post, "a", "bank:scheme", 1, "")
		if n == 1 {
			op = booktest.Op("open", booktest.OpenAcc, "a", "", 1_000_000, "")
		}
		if _, err := store.Apply(t.Context(), op); err != nil {
			t.Fatal(err)
		}
	}
}

// published follows the journal in the events from the beginning, expects
// every entry once and in order, and returns when it has seen entry n.
func published(t *testing.T, url string, n int64) {
	t.Helper()
	bus, err := events.Connect(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = bus.Close() }()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	enough := errors.New("enough")
	var last atomic.Int64
	err = events.Follow(ctx, bus, events.FollowConfig{Stream: events.Journal},
		func(_ context.Context, m *eventsv1.JournalEntryPublished, _ events.Delivery) error {
			if got, want := m.GetEntry().GetSequence(), last.Load()+1; got != want {
				return fmt.Errorf("entry %d, want %d", got, want)
			}
			if last.Add(1) == n {
				return enough
			}
			return nil
		})
	if !errors.Is(err, enough) {
		t.Fatalf("after entry %d of %d: %v", last.Load(), n, err)
	}
}

func TestTheRelayPublishesTheJournalInOrderAndCatchesUp(t *testing.T) {
	store := openPebble(t, t.TempDir(), book.Options{Durability: book.Memory})
	dir := t.TempDir()
	server, port := startEvents(t, dir, 0)
	applyMany(t, store, 300)
	first := startRelay(t, store, server.URL())
	published(t, server.URL(), 300)
	applyMany(t, store, 350)
	published(t, server.URL(), 350)

	// The events go away, the bank goes on, the events come back.
	server.Close()
	applyMany(t, store, 900)
	server, _ = startEvents(t, dir, port)
	published(t, server.URL(), 900)
	eventually(t, "the position is noted", func() bool {
		n, err := store.Published()
		return err == nil && n == 900
	})

	// Another relay goes on where the first one stopped.
	first.Stop()
	applyMany(t, store, 1000)
	second := startRelay(t, store, server.URL())
	published(t, server.URL(), 1000)
	second.Stop()
	server.Close()

	// Events that lost everything are filled up from the beginning.
	empty, _ := startEvents(t, t.TempDir(), 0)
	defer empty.Close()
	third := startRelay(t, store, empty.URL())
	published(t, empty.URL(), 1000)
	third.Stop()
}
