package standin

import (
	"context"
	"fmt"
	"log/slog"
	"testing"
	"time"

	"pgregory.net/rapid"

	"breakbank/platform/book"
	bankv1 "breakbank/proto/bank/v1"
	bookv1 "breakbank/proto/book/v1"
	"breakbank/services/bank"
)

func TestDecide(t *testing.T) {
	const today = 20_000
	active := bank.Customer{CardState: bank.StateActive, DailyLimitMinor: 1_000_00}
	low := bank.Customer{CardState: bank.StateActive, DailyLimitMinor: 30_00}
	rich := account{balanceMinor: 1_000_00}
	for _, c := range []struct {
		name    string
		card    bank.Customer
		account account
		unknown bool
		amount  int64
		want    string
	}{
		{name: "all is well", card: active, account: rich, amount: 20_00, want: bank.Approved},
		{name: "nobody's card", card: active, unknown: true, amount: 20_00, want: bank.NoSuchCard},
		{name: "expired", card: bank.Customer{CardState: bank.StateExpired}, account: rich, amount: 20_00, want: bank.Expired},
		{name: "frozen", card: bank.Customer{CardState: bank.StateFrozen}, account: rich, amount: 20_00, want: bank.DoNotHonour},
		{name: "account frozen", card: active, account: account{balanceMinor: 1_000_00, frozen: true}, amount: 20_00, want: bank.DoNotHonour},
		{name: "the most a payment", card: active, account: rich, amount: perPaymentMaxMinor, want: bank.Approved},
		{name: "more than a payment may be", card: active, account: rich, amount: perPaymentMaxMinor + 1, want: bank.OverLimit},
		{name: "the last of the day", card: active, account: account{balanceMinor: 1_000_00, spentMinor: 200_00, day: today}, amount: 50_00, want: bank.Approved},
		{name: "over the day", card: active, account: account{balanceMinor: 1_000_00, spentMinor: 200_00, day: today}, amount: 50_01, want: bank.OverLimit},
		{name: "the day before does not count", card: active, account: account{balanceMinor: 1_000_00, spentMinor: 250_00, day: today - 1}, amount: 50_00, want: bank.Approved},
		{name: "over the card's own limit", card: low, account: rich, amount: 30_01, want: bank.OverLimit},
		{name: "to the last penny", card: active, account: account{balanceMinor: 50_00, heldMinor: 10_00, reservedMinor: 20_00}, amount: 20_00, want: bank.Approved},
		{name: "a penny more", card: active, account: account{balanceMinor: 50_00, heldMinor: 10_00, reservedMinor: 20_00}, amount: 20_01, want: bank.InsufficientFunds},
		{name: "an agreed overdraft", card: active, account: account{limitMinor: -50_00}, amount: 50_00, want: bank.Approved},
		{name: "under a minimum", card: active, account: account{balanceMinor: 50_00, limitMinor: 40_00}, amount: 20_00, want: bank.InsufficientFunds},
	} {
		if got := decide(c.card, c.account, !c.unknown, c.amount, today); got != c.want {
			t.Errorf("%s: %s, want %s", c.name, got, c.want)
		}
	}
}

// fatal is what both *testing.T and *rapid.T can do.
type fatal interface {
	Helper()
	Fatal(...any)
}

// customers are enough for any test here: opening all takes its time.
const customers = 400

func openIn(t fatal, dir string, seed []*bookv1.Operation) *holdings {
	t.Helper()
	d, err := openDisk(dir, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	h, err := openHoldings(d, seed)
	if err != nil {
		t.Fatal(err)
	}
	return h
}

func closeIt(t fatal, h *holdings) {
	t.Helper()
	if err := h.disk.close(); err != nil {
		t.Fatal(err)
	}
}

func payment(key string, i int, minor int64) *bankv1.AuthoriseRequest {
	return &bankv1.AuthoriseRequest{IdempotencyKey: key, CardNumber: bank.CardNumber(i), AmountMinor: minor}
}

// adviceOperation is what the primary makes of an advice in the ledger.
func adviceOperation(advice *bankv1.AdviseRequest) *bookv1.Operation {
	p := advice.GetAuthorisation()
	i, _, _ := bank.ParseCard(p.GetCardNumber())
	return &bookv1.Operation{
		Key: bank.AdviceKey(p.GetIdempotencyKey()), Kind: bookv1.OperationKind_OPERATION_KIND_ADVICE,
		DebitAccount: bank.CurrentAccount(i), AmountMinor: p.GetAmountMinor(), Decision: advice.GetResponseCode(),
	}
}

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
	if err := store.Seed(t.Context(), bank.SeedOperations(bank.StoreLedger)[:customers]); err != nil {
		t.Fatal(err)
	}
	return store
}

// Whatever happens in the ledger, in whatever order advices and reversals get
// there, stand-in's copy is the ledger's once it has seen the whole journal,
// and nothing stays reserved. Restarts in between change nothing.
func TestCopyFollowsTheBook(t *testing.T) {
	const few = 3
	const groups = customers / few
	newLedger := func() *book.Pebble { return openBook(t) }
	var ledger *book.Pebble
	root, seed := t.TempDir(), bank.SeedOperations(bank.StoreLedger)[:customers]
	next := 0
	rapid.Check(t, func(t *rapid.T) {
		if next%groups == 0 {
			ledger = newLedger() // all customers have a history in the other
		}
		dir := fmt.Sprintf("%s/%d", root, next)
		h := openIn(t, dir, seed)
		first := next % groups * few
		next++
		taken := ledger.Tail()
		now := time.Unix(1_509_109_800, 0)
		var all, due []*bankv1.AdviseRequest
		owners := make(map[string]int)
		apply := func(op *bookv1.Operation) {
			if _, err := ledger.Apply(context.Background(), op); err != nil {
				t.Fatal(err)
			}
		}
		catchUp := func() {
			entries, err := ledger.Entries(context.Background(), taken+1, book.MaxEntries)
			if err != nil {
				t.Fatal(err)
			}
			for _, e := range entries {
				for range 2 { // a message may come twice
					if err := h.take(e, uint64(e.GetSequence())); err != nil {
						t.Fatal(err)
					}
				}
				taken = e.GetSequence()
			}
		}
		reversal := func(key string) *bookv1.Operation {
			hold, i := bank.AdviceKey(key), owners[key]
			return &bookv1.Operation{
				Key: bank.ReversalKey(hold), Kind: bookv1.OperationKind_OPERATION_KIND_RELEASE,
				HoldKey: hold, DebitAccount: bank.CurrentAccount(i),
			}
		}
		for step := range rapid.IntRange(1, 30).Draw(t, "steps") {
			key := fmt.Sprintf("copy:%d:%d", next, step)
			i := first + rapid.IntRange(0, few-1).Draw(t, "customer")
			id, other := bank.CurrentAccount(i), bank.CurrentAccount(first+(i-first+1)%few)
			owners[key] = i
			minor := rapid.Int64Range(1, 150_00).Draw(t, "minor")
			switch rapid.SampledFrom([]string{"decide", "decide", "advise", "hold", "post", "reverse", "catch up", "restart"}).Draw(t, "what") {
			case "decide":
				made, err := h.decide(payment(key, i, minor), now)
				if err != nil {
					t.Fatal(err)
				}
				all, due = append(all, made.advice), append(due, made.advice)
				if rapid.Bool().Draw(t, "reversed first") {
					apply(reversal(key))
				}
			case "advise":
				if len(due) > 0 {
					n := rapid.IntRange(0, len(due)-1).Draw(t, "advice")
					apply(adviceOperation(due[n]))
					due = append(due[:n], due[n+1:]...)
				}
			case "hold":
				apply(&bookv1.Operation{Key: key, Kind: bookv1.OperationKind_OPERATION_KIND_HOLD, DebitAccount: id, AmountMinor: minor})
				if rapid.Bool().Draw(t, "captured") {
					apply(&bookv1.Operation{Key: key + ":c", Kind: bookv1.OperationKind_OPERATION_KIND_CAPTURE, HoldKey: key, CreditAccount: other})
				}
			case "post":
				apply(&bookv1.Operation{Key: key, Kind: bookv1.OperationKind_OPERATION_KIND_POST, DebitAccount: id, CreditAccount: other, AmountMinor: minor})
			case "reverse":
				apply(reversal(fmt.Sprintf("copy:%d:%d", next, rapid.IntRange(0, step).Draw(t, "reversed"))))
			case "catch up":
				catchUp()
			case "restart":
				closeIt(t, h)
				h = openIn(t, dir, seed)
			}
		}
		for _, advice := range due {
			apply(adviceOperation(advice))
		}
		catchUp()
		for i := first; i < first+few; i++ {
			id := bank.CurrentAccount(i)
			want, err := ledger.Account(context.Background(), id)
			if err != nil {
				t.Fatal(err)
			}
			got := h.accounts[id]
			if got.balanceMinor != want.GetBalanceMinor() || got.heldMinor != want.GetHeldMinor() || got.reservedMinor != 0 || got.spentMinor < 0 {
				t.Fatalf("%s: copy %+v, ledger %v", id, got, want)
			}
		}
		for _, first := range all {
			again, err := h.decide(first.GetAuthorisation(), now.Add(time.Hour))
			if err != nil || again.advice.GetResponseCode() != first.GetResponseCode() {
				t.Fatalf("first %v, again %v, %v", first, again, err)
			}
		}
		closeIt(t, h)
	})
}
