package feed

import (
	"context"
	"fmt"
	"log/slog"
	"net"
	"slices"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"breakbank/platform/book"
	"breakbank/platform/events"
	"breakbank/platform/node"
	"breakbank/platform/rpc"
	bankv1 "breakbank/proto/bank/v1"
	bookv1 "breakbank/proto/book/v1"
	"breakbank/services/bank"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// patience bounds what a test waits for; it is never waited out.
const patience = 20 * time.Second

const one, two = "acc-00001", "acc-00002"

// openBook is a real book with two customers, of £1,000 each.
func openBook(t *testing.T) *book.Pebble {
	t.Helper()
	store, err := book.OpenPebble(t.TempDir(), book.Options{Durability: book.Memory})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := store.Close(); err != nil {
			t.Error(err)
		}
	})
	for _, account := range []string{one, two} {
		apply(t, store, &bookv1.Operation{
			Key: bank.OpenKey(account), Kind: bookv1.OperationKind_OPERATION_KIND_OPEN,
			DebitAccount: account, AmountMinor: 1_000_00,
		})
	}
	return store
}

func apply(t *testing.T, store *book.Pebble, op *bookv1.Operation) {
	t.Helper()
	if _, err := store.Apply(t.Context(), op); err != nil {
		t.Fatal(err)
	}
}

// world is real NATS, with the book's journal relayed into it, until close.
type world struct {
	nats  *events.Server
	relay *book.Relay
	addr  string
	dir   string
}

func newWorld(t *testing.T, store *book.Pebble) world {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	return worldAt(t, store, l, t.TempDir())
}

func worldAt(t *testing.T, store *book.Pebble, l net.Listener, dir string) world {
	t.Helper()
	addr := l.Addr().String()
	nats, err := events.StartServer(events.ServerConfig{Dir: dir, Listener: l})
	if err != nil {
		t.Fatal(err)
	}
	relay := book.StartRelay(book.RelayConfig{
		Name: bank.StoreLedger, Store: store,
		Open: func(ctx context.Context) (book.Outlet, error) { return events.OpenOutlet(ctx, nats.URL()) },
	})
	return world{nats, relay, addr, dir}
}

func (w world) close() {
	w.relay.Stop()
	w.nats.Close()
}

// instance is one under test, until stop.
type instance struct {
	bankv1.FeedServiceClient
	node.Instance
	stop func()
}

func (w world) start(t *testing.T, name string) instance {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	made, err := New(t.Context(), node.Env{
		Service: "feed", Instance: name, Listener: l, NATSURL: w.nats.URL(), Log: slog.New(slog.DiscardHandler),
	})
	if err != nil {
		t.Fatal(err)
	}
	var served sync.WaitGroup
	served.Go(func() {
		if err := made.Serve(); err != nil {
			t.Error(err)
		}
	})
	dialer := rpc.NewDialer(rpc.DialerConfig{RouterAddr: l.Addr().String(), Service: "test", Instance: "test"})
	conn, err := dialer.Dial(t.Context(), "feed")
	if err != nil {
		t.Fatal(err)
	}
	return instance{bankv1.NewFeedServiceClient(conn), made, func() {
		made.Kill()
		served.Wait()
		if err := dialer.Close(); err != nil {
			t.Error(err)
		}
	}}
}

// listed is an account's feed, a line as "sequence amount kind reference".
func (i instance) listed(t *testing.T, account string, limit int32) []string {
	t.Helper()
	got, err := i.ListEntries(within(t), &bankv1.ListEntriesRequest{Account: account, Limit: limit})
	if err != nil {
		return []string{err.Error()}
	}
	var lines []string
	for _, e := range got.GetEntries() {
		if e.GetAt().AsTime().IsZero() {
			t.Errorf("undated: %v", e)
		}
		lines = append(lines, fmt.Sprintf("%d %+d %s %s", e.GetSequence(), e.GetAmountMinor(), e.GetKind(), e.GetReference()))
	}
	return lines
}

// becomes waits until the feed of an account is as wanted.
func (i instance) becomes(t *testing.T, account string, limit int32, want ...string) {
	t.Helper()
	deadline := time.NewTimer(patience)
	defer deadline.Stop()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for {
		got := i.listed(t, account, limit)
		if slices.Equal(got, want) {
			return
		}
		select {
		case <-tick.C:
		case <-deadline.C:
			t.Fatalf("%s shows\n%q, want\n%q", account, got, want)
		}
	}
}

func within(t *testing.T) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	t.Cleanup(cancel)
	return ctx
}

func transfer(i int, from, to string) *bookv1.Operation {
	return &bookv1.Operation{
		Key: fmt.Sprintf("t%d", i), Kind: bookv1.OperationKind_OPERATION_KIND_POST,
		DebitAccount: from, CreditAccount: to, AmountMinor: int64(i), Reference: fmt.Sprintf("No %d", i),
	}
}

func TestWhatHappensIsShown(t *testing.T) {
	store := openBook(t) // Entries 1 and 2.
	w := newWorld(t, store)
	defer w.close()
	f := w.start(t, "feed-v1-1-a2")
	defer f.stop()

	apply(t, store, transfer(3, bank.AccountFPS, one))
	apply(t, store, &bookv1.Operation{Key: "h4", Kind: bookv1.OperationKind_OPERATION_KIND_HOLD, DebitAccount: one, AmountMinor: 4, Reference: "Tea"})
	apply(t, store, &bookv1.Operation{Key: "h5", Kind: bookv1.OperationKind_OPERATION_KIND_HOLD, DebitAccount: one, AmountMinor: 5, Reference: "Cake"})
	apply(t, store, &bookv1.Operation{Key: "h6", Kind: bookv1.OperationKind_OPERATION_KIND_HOLD, DebitAccount: one, AmountMinor: 9_999_99, Reference: "A car"})
	apply(t, store, &bookv1.Operation{Key: "c7", Kind: bookv1.OperationKind_OPERATION_KIND_CAPTURE, HoldKey: "h4", CreditAccount: bank.AccountScheme})
	apply(t, store, &bookv1.Operation{Key: "r8", Kind: bookv1.OperationKind_OPERATION_KIND_RELEASE, HoldKey: "h5"})
	apply(t, store, &bookv1.Operation{Key: "r9", Kind: bookv1.OperationKind_OPERATION_KIND_RELEASE, HoldKey: "never came", DebitAccount: one})
	apply(t, store, transfer(10, one, two))
	apply(t, store, &bookv1.Operation{Key: "a11", Kind: bookv1.OperationKind_OPERATION_KIND_ADVICE, DebitAccount: two, AmountMinor: 11, Decision: bank.Approved, Reference: "Bus"})

	f.becomes(t, one, 0,
		"10 -10 transfer_out No 10",
		"8 +5 card_reversal "+reversalReference,
		"5 -5 card_payment Cake",
		"4 -4 card_payment Tea",
		"3 +3 transfer_in No 3",
	)
	f.becomes(t, two, 0, "11 -11 card_payment Bus", "10 +10 transfer_in No 10")
	f.becomes(t, one, 2, "10 -10 transfer_out No 10", "8 +5 card_reversal "+reversalReference)
	f.becomes(t, bank.AccountFPS, 0)
	f.becomes(t, "acc-99999", 0)
	for _, bad := range []*bankv1.ListEntriesRequest{{}, {Account: one, Limit: -1}} {
		if _, err := f.ListEntries(within(t), bad); status.Code(err) != codes.InvalidArgument {
			t.Errorf("%v: %v", bad, err)
		}
	}
}

// Three instances are one feed: each entry once, newest first, the last 20,
// also while one of them goes.
func TestInstancesAreOneFeed(t *testing.T) {
	const transfers = 100
	store := openBook(t)
	w := newWorld(t, store)
	defer w.close()
	var all []instance
	for _, name := range []string{"feed-v1-1-a2", "feed-v1-1-b2", "feed-v1-1-c2"} {
		f := w.start(t, name)
		defer f.stop()
		all = append(all, f)
	}
	for i := 3; i < 3+transfers; i++ {
		if i == transfers/2 {
			if err := all[2].Drain(within(t)); err != nil {
				t.Error(err)
			}
		}
		apply(t, store, transfer(i, one, bank.AccountFPS))
	}
	want := lastTransfers(2 + transfers)
	for _, f := range all[:2] {
		f.becomes(t, one, 50, want...)
	}
}

// lastTransfers are the lines of the transfers up to the one with number last.
func lastTransfers(last int) []string {
	var lines []string
	for i := last; i > last-events.FeedLength; i-- {
		lines = append(lines, fmt.Sprintf("%d %+d transfer_out No %d", i, -i, i))
	}
	return lines
}

// JetStream loses everything; the book's journal brings it back.
func TestTheFeedIsRebuiltFromTheStart(t *testing.T) {
	store := openBook(t)
	first := newWorld(t, store)
	f := first.start(t, "feed-v1-1-a2")
	for i := 3; i < 43; i++ {
		apply(t, store, transfer(i, one, bank.AccountFPS))
	}
	f.becomes(t, one, 50, lastTransfers(42)...)
	f.stop()
	first.close()

	second := newWorld(t, store)
	defer second.close()
	f = second.start(t, "feed-v1-2-a2")
	defer f.stop()
	f.becomes(t, one, 50, lastTransfers(42)...)
}

// JetStream goes away and comes back under an instance that runs on.
func TestItOutlivesJetStream(t *testing.T) {
	store := openBook(t)
	w := newWorld(t, store)
	f := w.start(t, "feed-v1-1-a2")
	apply(t, store, transfer(3, one, bank.AccountFPS))
	f.becomes(t, one, 0, "3 -3 transfer_out No 3")

	w.close()
	if got, err := f.ListEntries(within(t), &bankv1.ListEntriesRequest{Account: one}); status.Code(err) != codes.Unavailable {
		t.Errorf("got %v, %v", got, err)
	}
	apply(t, store, transfer(4, one, bank.AccountFPS))
	l, err := net.Listen("tcp", w.addr)
	if err != nil {
		t.Fatal(err)
	}
	w = worldAt(t, store, l, w.dir)
	defer w.close()
	defer f.stop()
	f.becomes(t, one, 0, "4 -4 transfer_out No 4", "3 -3 transfer_out No 3")
}
