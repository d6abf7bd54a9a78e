package standin

import (
	"context"
	"log/slog"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"

	"breakbank/platform/book"
	"breakbank/platform/events"
	"breakbank/platform/node"
	"breakbank/platform/node/nodetest"
	"breakbank/platform/rpc"
	bankv1 "breakbank/proto/bank/v1"
	bookv1 "breakbank/proto/book/v1"
	"breakbank/services/bank"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// primary applies advices to a real book, and loses as many replies as it is
// told.
type primary struct {
	bankv1.UnimplementedCardAuthServiceServer
	ledger book.Store

	mu         sync.Mutex
	lose       int
	deliveries int
}

func (p *primary) Advise(ctx context.Context, req *bankv1.AdviseRequest) (*bankv1.AdviseResponse, error) {
	result, err := p.ledger.Apply(ctx, adviceOperation(req))
	if err != nil {
		return nil, bank.Wrap(err, "apply advice")
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.deliveries++
	if p.deliveries <= p.lose {
		return nil, status.Error(codes.Aborted, "the reply is lost")
	}
	return &bankv1.AdviseResponse{Applied: !result.Replayed}, nil
}

func (p *primary) delivered() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.deliveries
}

// town is stand-in with a real event log and a primary on a real book.
type town struct {
	bankv1.StandInServiceClient
	events  *events.Server
	url     string
	primary *primary
	ledger  *book.Pebble
	relayed int64
}

func newTown(t *testing.T) *town {
	t.Helper()
	log := slog.New(slog.DiscardHandler)
	w := &town{ledger: openBook(t)}
	w.relayed = w.ledger.Tail()
	server, err := events.StartServer(events.ServerConfig{Dir: t.TempDir(), Log: log})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(server.Close)
	w.events, w.url = server, server.URL()

	w.primary = &primary{ledger: w.ledger}
	primaryListener := nodetest.Listen(t)
	primaryServer := rpc.NewServer(rpc.ServerConfig{Service: primaryName, Instance: "cardauth-1", Listener: primaryListener, Log: log})
	bankv1.RegisterCardAuthServiceServer(primaryServer.Registrar(), w.primary)
	nodetest.Serve(t, primaryServer)

	// The only service behind the "router" is the primary: its address will do.
	dialer := rpc.NewDialer(rpc.DialerConfig{RouterAddr: primaryListener.Addr().String(), Service: serviceName, Instance: "standin-1", Log: log})
	client := rpc.NewDialer(rpc.DialerConfig{Service: "test", Log: log})
	t.Cleanup(func() {
		for _, d := range []*rpc.Dialer{dialer, client} {
			if err := d.Close(); err != nil {
				t.Error(err)
			}
		}
	})
	listener := nodetest.Listen(t)
	instance, err := New(t.Context(), node.Env{
		Service: serviceName, Instance: "standin-1", Listener: listener, Dialer: dialer,
		NATSURL: w.url, DataDir: t.TempDir(), Log: log,
	})
	if err != nil {
		t.Fatal(err)
	}
	nodetest.Serve(t, instance)
	conn, err := client.DialFixed(t.Context(), serviceName, listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	w.StandInServiceClient = bankv1.NewStandInServiceClient(conn)
	return w
}

// relay publishes what the ledger's journal has gained.
func (w *town) relay(t *testing.T) {
	t.Helper()
	outlet, err := events.OpenOutlet(t.Context(), w.url)
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := outlet.Close(); err != nil {
			t.Error(err)
		}
	}()
	entries, err := w.ledger.Entries(t.Context(), w.relayed+1, book.MaxEntries)
	if err != nil {
		t.Fatal(err)
	}
	if err := outlet.Publish(t.Context(), bank.StoreLedger, entries); err != nil {
		t.Fatal(err)
	}
	w.relayed += int64(len(entries))
}

// eventually waits until ok says so.
func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	deadline := time.NewTimer(10 * time.Second)
	defer deadline.Stop()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for !ok() {
		select {
		case <-tick.C:
		case <-deadline.C:
			t.Fatalf("never happened: %s", what)
		}
	}
}

// drained says that the primary has acknowledged so many advices or more, and
// none is left.
func (w *town) drained(t *testing.T, want int64) func() bool {
	return func() bool {
		backlog, err := w.GetBacklog(t.Context(), &bankv1.GetBacklogRequest{})
		return err == nil && backlog.GetPending() == 0 && backlog.GetAcknowledged() >= want
	}
}

func (w *town) authorise(t *testing.T, req *bankv1.AuthoriseRequest, want string) {
	t.Helper()
	var trailer metadata.MD
	got, err := w.Authorise(t.Context(), req, grpc.Trailer(&trailer))
	if err != nil || got.GetResponseCode() != want || got.GetDecidedBy() != serviceName {
		t.Errorf("%s: %v, %v; want %s", req.GetIdempotencyKey(), got, err, want)
	}
	if route := rpc.ParseProvenance(trailer).Route; route != rpc.RouteFallback {
		t.Errorf("%s: route %q, want %q", req.GetIdempotencyKey(), route, rpc.RouteFallback)
	}
}

// wealthy is a customer who, as the next one, can pay for any test.
func wealthy(t *testing.T) int {
	t.Helper()
	is := func(c bank.Customer) bool {
		return c.CardState == bank.StateActive && c.OpeningMinor > 1_000_00 && c.DailyLimitMinor > perDayMaxMinor
	}
	for i := range customers - 1 {
		if is(bank.CustomerAt(i)) && is(bank.CustomerAt(i+1)) {
			return i
		}
	}
	t.Fatal("nobody is wealthy")
	return 0
}

// advices counts the advices in the ledger's journal by key.
func (w *town) advices(t *testing.T) map[string]int {
	t.Helper()
	entries, err := w.ledger.Entries(t.Context(), customers+1, book.MaxEntries)
	if err != nil {
		t.Fatal(err)
	}
	found := make(map[string]int)
	for _, e := range entries {
		if e.GetOperation().GetKind() == bookv1.OperationKind_OPERATION_KIND_ADVICE {
			found[e.GetOperation().GetKey()]++
		}
	}
	return found
}

func TestEveryDecisionReachesThePrimaryOnce(t *testing.T) {
	w := newTown(t)
	w.primary.mu.Lock()
	w.primary.lose = 3
	w.primary.mu.Unlock()
	i := wealthy(t)
	yes, no := payment("yes", i, 20_00), payment("no", i, perPaymentMaxMinor+1)
	for range 2 {
		w.authorise(t, yes, bank.Approved)
		w.authorise(t, no, bank.OverLimit)
	}
	eventually(t, "both advices acknowledged", w.drained(t, 2))
	if got := w.primary.delivered(); got < 4 {
		t.Errorf("%d deliveries, though the first three replies were lost", got)
	}
	if got := w.advices(t); len(got) != 2 || got["adv:yes"] != 1 || got["adv:no"] != 1 {
		t.Errorf("in the journal: %v, want each once", got)
	}
	account, err := w.ledger.Account(t.Context(), bank.CurrentAccount(i))
	if err != nil || account.GetHeldMinor() != 20_00 {
		t.Errorf("held %v, %v; want the approved £20", account, err)
	}
}

// reversedInJournal has a payment of customer i approved and undone in the
// ledger, and waits until stand-in has learned that from the journal, and with
// it everything before.
func (w *town) reversedInJournal(t *testing.T, i int) {
	t.Helper()
	request, hold := payment("reversed", i, 20_00), bank.AdviceKey("reversed")
	w.authorise(t, request, bank.Approved)
	eventually(t, "the advices acknowledged", w.drained(t, 1))
	if _, err := w.ledger.Apply(t.Context(), &bookv1.Operation{
		Key: bank.ReversalKey(hold), Kind: bookv1.OperationKind_OPERATION_KIND_RELEASE, HoldKey: hold,
	}); err != nil {
		t.Fatal(err)
	}
	w.relay(t)
	eventually(t, "the reversal known", func() bool {
		got, err := w.Authorise(t.Context(), request)
		return err == nil && got.GetResponseCode() == bank.SystemError
	})
}

func TestMoneySpentElsewhereIsKnown(t *testing.T) {
	w := newTown(t)
	i := wealthy(t)
	if _, err := w.ledger.Apply(t.Context(), &bookv1.Operation{
		Key: "rent", Kind: bookv1.OperationKind_OPERATION_KIND_POST, AmountMinor: bank.CustomerAt(i).OpeningMinor - 25_00,
		DebitAccount: bank.CurrentAccount(i), CreditAccount: bank.AccountFPS,
	}); err != nil {
		t.Fatal(err)
	}
	w.authorise(t, payment("before it is known", i, 5_00), bank.Approved)
	w.reversedInJournal(t, i+1)
	w.authorise(t, payment("too much", i, 20_01), bank.InsufficientFunds)
	w.authorise(t, payment("the rest", i, 20_00), bank.Approved)
}

func TestNothingIsAnsweredThatIsNotDurable(t *testing.T) {
	w := newTown(t)
	w.events.Close()
	ctx, cancel := context.WithTimeout(t.Context(), time.Second)
	defer cancel()
	got, err := w.Authorise(ctx, payment("k", wealthy(t), 20_00))
	if !bank.MayHaveHappened(err) {
		t.Errorf("%v, %v; want an error that leaves the outcome open", got, err)
	}
}

func TestBadRequests(t *testing.T) {
	w := newTown(t)
	i := wealthy(t)
	w.authorise(t, payment("k", i, 20_00), bank.Approved)
	prepaid := payment("p", i, 20_00)
	prepaid.CardNumber = bank.PrepaidNumber(i)
	for name, c := range map[string]struct {
		req  *bankv1.AuthoriseRequest
		want codes.Code
	}{
		"no key":                    {payment("", i, 20_00), codes.InvalidArgument},
		"no amount":                 {payment("z", i, 0), codes.InvalidArgument},
		"prepaid":                   {prepaid, codes.InvalidArgument},
		"the key of another amount": {payment("k", i, 20_01), codes.AlreadyExists},
		"the key of another card":   {payment("k", i+1, 20_00), codes.AlreadyExists},
	} {
		if _, err := w.Authorise(t.Context(), c.req); status.Code(err) != c.want {
			t.Errorf("%s: %v, want %v", name, err, c.want)
		}
	}
}

func TestTheSameMoneyIsNotApprovedTwice(t *testing.T) {
	h := openIn(t, t.TempDir(), bank.SeedOperations(bank.StoreLedger))
	defer closeIt(t, h)
	i := 0
	for ; ; i++ {
		if c := bank.CustomerAt(i); c.CardState == bank.StateActive && c.OpeningMinor > 50_00 && c.OpeningMinor < 90_00 && c.DailyLimitMinor > perDayMaxMinor {
			break
		}
	}
	var wg sync.WaitGroup
	var mu sync.Mutex
	approved := int64(0)
	for n := range 20 {
		wg.Go(func() {
			made, err := h.decide(payment(time.Duration(n).String(), i, 10_00), time.Unix(0, 0))
			if err != nil {
				t.Error(err)
				return
			}
			if made.advice.GetResponseCode() == bank.Approved {
				mu.Lock()
				approved += 10_00
				mu.Unlock()
			}
		})
	}
	wg.Wait()
	opening := bank.CustomerAt(i).OpeningMinor
	if approved > opening || approved <= opening-10_00 {
		t.Errorf("approved %s of %s", bank.Pounds(approved), bank.Pounds(opening))
	}
}
