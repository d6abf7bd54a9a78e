package prepaid

import (
	"log/slog"
	"testing"

	"go.uber.org/goleak"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"breakbank/platform/book"
	"breakbank/platform/node"
	"breakbank/platform/node/nodetest"
	"breakbank/platform/rpc"
	bankv1 "breakbank/proto/bank/v1"
	"breakbank/services/bank"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const (
	tap = 2_00
	// customers are enough for any test here: opening all takes its time.
	customers = 1_500
)

// town is prepaid on a real book, over gRPC.
type town struct {
	bankv1.PrepaidServiceClient
	store *book.Pebble
}

func newTown(t *testing.T) *town {
	t.Helper()
	log := slog.New(slog.DiscardHandler)
	store, err := book.OpenPebble(t.TempDir(), book.Options{Durability: book.Memory})
	if err != nil {
		t.Fatal(err)
	}
	client := rpc.NewDialer(rpc.DialerConfig{Service: "test", Log: log})
	t.Cleanup(func() {
		if err := client.Close(); err != nil {
			t.Error(err)
		}
		if err := store.Close(); err != nil {
			t.Error(err)
		}
	})
	if err := store.Seed(t.Context(), bank.SeedOperations(bank.StorePrepaid)[:customers]); err != nil {
		t.Fatal(err)
	}
	bookListener, listener := nodetest.Listen(t), nodetest.Listen(t)
	nodetest.Serve(t, book.NewServer(book.ServerConfig{
		Listener: bookListener, Log: log, Stores: map[string]book.Store{bank.StorePrepaid: store},
	}))
	instance, err := New(t.Context(), node.Env{
		Service: serviceName, Instance: "prepaid-1", Listener: listener, BookAddr: bookListener.Addr().String(), Log: log,
	})
	if err != nil {
		t.Fatal(err)
	}
	nodetest.Serve(t, instance)
	conn, err := client.DialFixed(t.Context(), serviceName, listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	return &town{PrepaidServiceClient: bankv1.NewPrepaidServiceClient(conn), store: store}
}

func payment(key string, i int) *bankv1.AuthoriseRequest {
	return &bankv1.AuthoriseRequest{IdempotencyKey: key, CardNumber: bank.PrepaidNumber(i), AmountMinor: tap, Merchant: "a kiosk"}
}

func (w *town) wantHeld(t *testing.T, i int, minor int64) {
	t.Helper()
	account, err := w.store.Account(t.Context(), bank.PrepaidAccount(i))
	if err != nil || account.GetHeldMinor() != minor {
		t.Errorf("customer %d: %v, %v; want %s held", i, account, err, bank.Pounds(minor))
	}
}

func (w *town) wantAnswer(t *testing.T, req *bankv1.AuthoriseRequest, want string) {
	t.Helper()
	got, err := w.Authorise(t.Context(), req)
	if err != nil || got.GetResponseCode() != want || got.GetDecidedBy() != serviceName {
		t.Errorf("%s: %v, %v; want %s", req.GetIdempotencyKey(), got, err, want)
	}
}

func TestAnswers(t *testing.T) {
	w := newTown(t)
	frozen := 0
	for bank.CustomerAt(frozen).PrepaidState != bank.StateFrozen {
		frozen++
	}
	tooMuch := payment("too much", 2)
	tooMuch.AmountMinor = bank.CustomerAt(2).PrepaidOpeningMinor + 1
	current := payment("current", 3)
	current.CardNumber = bank.CardNumber(3)
	for _, c := range []struct {
		req  *bankv1.AuthoriseRequest
		want string
	}{
		{payment("ok", 1), bank.Approved},
		{payment("frozen", frozen), bank.DoNotHonour},
		{tooMuch, bank.InsufficientFunds},
		{current, bank.NoSuchCard},
		{payment("never issued", bank.Customers), bank.NoSuchCard},
	} {
		for range 3 { // the same again and again
			w.wantAnswer(t, c.req, c.want)
		}
	}
	w.wantHeld(t, 1, tap)
	w.wantHeld(t, 2, 0)

	other := payment("ok", 1)
	other.AmountMinor++
	if _, err := w.Authorise(t.Context(), other); status.Code(err) != codes.AlreadyExists {
		t.Errorf("the same key for another payment: %v", err)
	}
}

func TestReverse(t *testing.T) {
	w := newTown(t)
	reverse := func(key, reason string) {
		t.Helper()
		got, err := w.Reverse(t.Context(), &bankv1.ReverseRequest{IdempotencyKey: key, CardNumber: bank.PrepaidNumber(1), Reason: reason})
		if err != nil || got.GetResponseCode() != bank.Approved {
			t.Errorf("reverse %s: %v, %v", key, got, err)
		}
	}
	w.wantAnswer(t, payment("after", 1), bank.Approved)
	w.wantHeld(t, 1, tap)
	reverse("after", "late approval")
	reverse("after", "sent again for another reason")
	w.wantHeld(t, 1, 0)
	w.wantAnswer(t, payment("after", 1), bank.SystemError)

	reverse("before", "no answer")
	w.wantAnswer(t, payment("before", 1), bank.SystemError)
	w.wantHeld(t, 1, 0)
}
