package events_test

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"go.uber.org/goleak"

	"breakbank/platform/events"
	bankv1 "breakbank/proto/bank/v1"
	bookv1 "breakbank/proto/book/v1"
	eventsv1 "breakbank/proto/events/v1"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// server is an embedded server that can be restarted at its address.
type server struct {
	*events.Server
	t   *testing.T
	dir string
}

func start(t *testing.T) *server {
	t.Helper()
	s := &server{t: t, dir: t.TempDir()}
	s.start(0)
	t.Cleanup(func() { s.Close() })
	return s
}

func (s *server) start(port int) {
	s.t.Helper()
	var err error
	if s.Server, err = events.StartServer(events.ServerConfig{Dir: s.dir, Port: port}); err != nil {
		s.t.Fatal(err)
	}
}

func (s *server) port() int {
	s.t.Helper()
	u, err := url.Parse(s.URL())
	if err != nil {
		s.t.Fatal(err)
	}
	port, err := strconv.Atoi(u.Port())
	if err != nil {
		s.t.Fatal(err)
	}
	return port
}

func (s *server) restart() {
	s.t.Helper()
	port := s.port()
	s.Close()
	s.start(port)
}

func connect(t *testing.T, s *server) *events.Bus {
	t.Helper()
	b, err := events.Connect(t.Context(), s.URL())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = b.Close() })
	// It connects by itself; the tests want to begin once it has.
	eventually(t, "the bus is connected", func() bool {
		_, err := b.Backlog(t.Context(), events.Advices)
		return err == nil
	})
	return b
}

// eventually waits for a condition.
func eventually(t *testing.T, what string, holds func() bool) {
	t.Helper()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for deadline := time.Now().Add(30 * time.Second); time.Now().Before(deadline); <-tick.C {
		if holds() {
			return
		}
	}
	t.Fatalf("never: %s", what)
}

// ended waits for a consumer that was cancelled.
func ended(t *testing.T, finished <-chan error) {
	t.Helper()
	if err := <-finished; !errors.Is(err, context.Canceled) {
		t.Errorf("consumer ended with %v, want Canceled", err)
	}
}

func advice(key string) *eventsv1.AdviceRaised {
	return &eventsv1.AdviceRaised{Advice: &bankv1.AdviseRequest{
		Authorisation: &bankv1.AuthoriseRequest{IdempotencyKey: key}, ResponseCode: "00",
	}}
}

func raise(t *testing.T, b *events.Bus, keys ...string) {
	t.Helper()
	for _, key := range keys {
		if err := b.Publish(t.Context(), events.AdviceSubject, key, advice(key)); err != nil {
			t.Fatal(err)
		}
	}
}

func pending(t *testing.T, b *events.Bus) int64 {
	t.Helper()
	backlog, err := b.Backlog(t.Context(), events.Advices)
	if err != nil {
		return -1
	}
	return backlog.Pending
}

func keys(n int) []string {
	all := make([]string, n)
	for i := range all {
		all[i] = fmt.Sprint("k", i)
	}
	return all
}

// TestDurabilities holds the streams of a running server against what they
// promise: what exists once only is synced before it is acknowledged.
func TestDurabilities(t *testing.T) {
	s := start(t)
	conn, err := nats.Connect(s.URL())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	js, err := jetstream.New(conn)
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]jetstream.PersistModeType{
		events.Journal: jetstream.AsyncPersistMode, events.Feed: jetstream.AsyncPersistMode,
		events.Advices: jetstream.DefaultPersistMode, events.FPS: jetstream.DefaultPersistMode,
	}
	for name, mode := range want {
		stream, err := js.Stream(t.Context(), name)
		if err != nil {
			t.Fatal(err)
		}
		config := stream.CachedInfo().Config
		if config.PersistMode != mode || config.Storage != jetstream.FileStorage {
			t.Errorf("%s: persist mode %v on %v, want %v on file", name, config.PersistMode, config.Storage, mode)
		}
	}
	if !s.SyncsAlways() {
		t.Error("the server does not sync always")
	}
}

func TestAWorkQueueKeepsWhatItAcknowledgedOverARestart(t *testing.T) {
	s := start(t)
	b := connect(t, s)
	raise(t, b, keys(20)...)
	raise(t, b, keys(20)...) // again: dropped as duplicates
	s.restart()
	eventually(t, "20 advices wait after the restart", func() bool { return pending(t, b) == 20 })

	ctx, cancel := context.WithCancel(t.Context())
	var mu sync.Mutex
	var seen []string
	finished := make(chan error, 1)
	go func() {
		finished <- events.Work(ctx, b, events.WorkConfig{Stream: events.Advices, Durable: "primary", Parallel: 4},
			func(_ context.Context, m *eventsv1.AdviceRaised, _ events.Delivery) error {
				mu.Lock()
				defer mu.Unlock()
				seen = append(seen, m.GetAdvice().GetAuthorisation().GetIdempotencyKey())
				return nil
			})
	}()
	eventually(t, "the queue is empty", func() bool { return pending(t, b) == 0 })
	cancel()
	ended(t, finished)
	want := keys(20)
	slices.Sort(seen)
	slices.Sort(want)
	if !slices.Equal(seen, want) {
		t.Errorf("worked on %v", seen)
	}
	if backlog, err := b.Backlog(t.Context(), events.Advices); err != nil || backlog != (events.Backlog{Done: 20}) {
		t.Errorf("backlog %+v, %v, want 20 done", backlog, err)
	}
}

func TestWorkIsTriedUntilItSucceedsOrIsDiscarded(t *testing.T) {
	b := connect(t, start(t))
	raise(t, b, "fails twice", "never succeeds")
	ctx, cancel := context.WithCancel(t.Context())
	var attempts atomic.Int64
	finished := make(chan error, 1)
	go func() {
		finished <- events.Work(ctx, b, events.WorkConfig{Stream: events.Advices, Durable: "primary"},
			func(_ context.Context, m *eventsv1.AdviceRaised, d events.Delivery) error {
				if m.GetAdvice().GetAuthorisation().GetIdempotencyKey() == "never succeeds" {
					return fmt.Errorf("%w: no such card", events.ErrDiscard)
				}
				attempts.Store(int64(d.Attempt))
				if d.Attempt < 3 {
					return errors.New("not yet")
				}
				return nil
			})
	}()
	eventually(t, "the queue is empty", func() bool { return pending(t, b) == 0 })
	cancel()
	ended(t, finished)
	if n := attempts.Load(); n != 3 {
		t.Errorf("succeeded at attempt %d, want 3", n)
	}
}

func TestWorkKeepsToItsRate(t *testing.T) {
	b := connect(t, start(t))
	const messages, perS = 60, 100
	raise(t, b, keys(messages)...)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	finished := make(chan error, 1)
	began := time.Now()
	go func() {
		finished <- events.Work(ctx, b, events.WorkConfig{Stream: events.Advices, Durable: "primary", RatePerS: perS, Parallel: 8},
			func(context.Context, *eventsv1.AdviceRaised, events.Delivery) error { return nil })
	}()
	eventually(t, "the queue is empty", func() bool { return pending(t, b) == 0 })
	// A twentieth of a second's worth may go at once.
	if took, least := time.Since(began), time.Second*(messages-perS/20)/perS; took < least {
		t.Errorf("%d messages took %v, at least %v at %d/s", messages, took, least, perS)
	}
	cancel()
	ended(t, finished)
}

// TestAWorkerThatStopsLeavesNothingBehind: what it had fetched goes to the
// next one at once, not after the time for an acknowledgement.
func TestAWorkerThatStopsLeavesNothingBehind(t *testing.T) {
	b := connect(t, start(t))
	raise(t, b, keys(12)...) // four in hand, eight fetched ahead
	work := func(ctx context.Context, handle func(context.Context) error) chan error {
		finished := make(chan error, 1)
		go func() {
			finished <- events.Work(ctx, b, events.WorkConfig{Stream: events.Advices, Durable: "primary", Parallel: 4},
				func(ctx context.Context, _ *eventsv1.AdviceRaised, _ events.Delivery) error { return handle(ctx) })
		}()
		return finished
	}
	ctx, cancel := context.WithCancel(t.Context())
	var stuck atomic.Int64
	first := work(ctx, func(ctx context.Context) error {
		stuck.Add(1)
		<-ctx.Done()
		return ctx.Err()
	})
	eventually(t, "the first worker has its hands full", func() bool { return stuck.Load() == 4 })
	cancel()
	ended(t, first)
	began := time.Now()
	ctx, cancel = context.WithCancel(t.Context())
	second := work(ctx, func(context.Context) error { return nil })
	eventually(t, "the queue is empty", func() bool { return pending(t, b) == 0 })
	if took := time.Since(began); took > 5*time.Second {
		t.Errorf("took %v", took)
	}
	cancel()
	ended(t, second)
}

// TestAWorkerStopsWhileTheServerIsAway: there is nobody to give messages back
// to, so it does not try.
func TestAWorkerStopsWhileTheServerIsAway(t *testing.T) {
	s := start(t)
	b := connect(t, s)
	raise(t, b, "the only one")
	ctx, cancel := context.WithCancel(t.Context())
	finished := make(chan error, 1)
	go func() {
		finished <- events.Work(ctx, b, events.WorkConfig{Stream: events.Advices, Durable: "primary", Parallel: 4},
			func(context.Context, *eventsv1.AdviceRaised, events.Delivery) error { return nil })
	}()
	eventually(t, "the queue is empty", func() bool { return pending(t, b) == 0 })
	s.Close()
	eventually(t, "publishing fails", func() bool {
		return b.Publish(t.Context(), events.AdviceSubject, "k", advice("k")) != nil
	})
	cancel()
	began := time.Now()
	ended(t, finished)
	if took := time.Since(began); took > 2*time.Second {
		t.Errorf("it took %v to stop", took)
	}
}

func entry(sequence int64, account string) *bookv1.Entry {
	return &bookv1.Entry{Sequence: sequence, Operation: &bookv1.Operation{Key: fmt.Sprint(sequence), DebitAccount: account}}
}

func publish(t *testing.T, s *server, store string, from, to int64) {
	t.Helper()
	o, err := events.OpenOutlet(t.Context(), s.URL())
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = o.Close() }()
	var entries []*bookv1.Entry
	for i := from; i <= to; i++ {
		entries = append(entries, entry(i, fmt.Sprintf("acc-%05d", i%7)))
	}
	if err := o.Publish(t.Context(), store, entries); err != nil {
		t.Fatal(err)
	}
	if last, err := o.Last(t.Context(), store); err != nil || last != to {
		t.Errorf("last published %d, %v, want %d", last, err, to)
	}
}

func TestFollowersSeeTheJournalInOrderAndOnceOverARestart(t *testing.T) {
	s := start(t)
	b := connect(t, s)
	const half, all = 700, 1000
	publish(t, s, "ledger", 1, half)
	publish(t, s, "prepaid", 1, 10)

	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	var last atomic.Int64
	finished := make(chan error, 1)
	go func() {
		finished <- events.Follow(ctx, b, events.FollowConfig{Stream: events.Journal, Subjects: []string{events.JournalOf("ledger")}},
			func(_ context.Context, m *eventsv1.JournalEntryPublished, _ events.Delivery) error {
				if got, want := m.GetEntry().GetSequence(), last.Load()+1; got != want || m.GetStore() != "ledger" {
					return fmt.Errorf("entry %d of %s, want %d of ledger", got, m.GetStore(), want)
				}
				last.Add(1)
				return nil
			})
	}()
	seen := func(n int64) func() bool {
		return func() bool {
			select {
			case err := <-finished:
				t.Fatalf("follower ended: %v", err)
			default:
			}
			return last.Load() == n
		}
	}
	eventually(t, "the first part arrives", seen(half))
	s.restart()
	publish(t, s, "ledger", half+1, all)
	eventually(t, "the second part arrives", seen(all))
	cancel()
	ended(t, finished)
}

func TestAFollowerEndsWithItsHandlersError(t *testing.T) {
	s := start(t)
	b := connect(t, s)
	publish(t, s, "ledger", 1, 3)
	no := errors.New("no")
	err := events.Follow(t.Context(), b, events.FollowConfig{Stream: events.Journal, From: 2},
		func(_ context.Context, m *eventsv1.JournalEntryPublished, d events.Delivery) error {
			if m.GetEntry().GetSequence() != 2 || d.Sequence != 2 || d.Behind != 1 {
				t.Errorf("entry %v, delivery %+v, want the second of three", m.GetEntry(), d)
			}
			return no
		})
	if !errors.Is(err, no) {
		t.Errorf("got %v", err)
	}
}

func TestPublishingWhileTheServerIsAwayFailsAtOnce(t *testing.T) {
	s := start(t)
	b := connect(t, s)
	port := s.port()
	s.Close()
	// The first may still go out on the dying connection.
	eventually(t, "publishing fails", func() bool {
		return b.Publish(t.Context(), events.AdviceSubject, "k", advice("k")) != nil
	})
	began := time.Now()
	if err := b.Publish(t.Context(), events.AdviceSubject, "k", advice("k")); err == nil {
		t.Error("published to nobody")
	}
	if took := time.Since(began); took > time.Second {
		t.Errorf("it failed after %v", took)
	}
	s.start(port)
	eventually(t, "publishing works again", func() bool {
		return b.Publish(t.Context(), events.AdviceSubject, "k2", advice("k2")) == nil
	})
	if n := pending(t, b); n != 1 {
		t.Errorf("%d advices, want the one that was acknowledged", n)
	}
}

func TestPublishAsync(t *testing.T) {
	b := connect(t, start(t))
	// Each is on disk before it is acknowledged, and that is waited for no longer
	// than two seconds from when it was sent: a third of one for each of so many.
	const messages, underWay = 100, 6
	var futures []jetstream.PubAckFuture
	oldest := func() {
		select {
		case <-futures[0].Ok():
		case err := <-futures[0].Err():
			t.Fatalf("a message: %v", err)
		}
		futures = futures[1:]
	}
	for _, key := range keys(messages) {
		future, err := b.PublishAsync(events.AdviceSubject, key, advice(key))
		if err != nil {
			t.Fatal(err)
		}
		if futures = append(futures, future); len(futures) > underWay {
			oldest()
		}
	}
	for len(futures) > 0 {
		oldest()
	}
	if n := pending(t, b); n != messages {
		t.Errorf("%d advices, want %d", n, messages)
	}
}
