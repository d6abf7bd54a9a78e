package cardauth

import (
	"fmt"
	"log/slog"
	"testing"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"pgregory.net/rapid"

	"breakbank/platform/book"
	bankv1 "breakbank/proto/bank/v1"
	"breakbank/services/bank"
)

const tap = 20_00

func payment(key string, i int) *bankv1.AuthoriseRequest {
	return &bankv1.AuthoriseRequest{IdempotencyKey: key, CardNumber: bank.CardNumber(i), AmountMinor: tap, Merchant: "a shop"}
}

func (w *town) wantHeld(t *testing.T, i int, limitMinor, moneyMinor int64) {
	t.Helper()
	if l, m := held(t, w.cards, w.book, i); l != limitMinor || m != moneyMinor {
		t.Errorf("customer %d: %s held of the limit and %s of the money, want %s and %s", i,
			bank.Pounds(l), bank.Pounds(m), bank.Pounds(limitMinor), bank.Pounds(moneyMinor))
	}
}

// Each answer, and the same one to the same request again.
func TestAnswers(t *testing.T) {
	w := newTown(t)
	active := func(c bank.Customer) bool { return c.CardState == bank.StateActive }
	for _, c := range []struct {
		name, want string
		is         func(bank.Customer) bool
		amount     int64
		heldMinor  int64
	}{
		{"active", bank.Approved, wealthy, tap, tap},
		{"frozen", bank.DoNotHonour, func(c bank.Customer) bool { return c.CardState == bank.StateFrozen }, tap, 0},
		{"expired", bank.Expired, func(c bank.Customer) bool { return c.CardState == bank.StateExpired }, tap, 0},
		{"over its limit", bank.OverLimit, func(c bank.Customer) bool { return active(c) && c.OpeningMinor > 500_00 && c.DailyLimitMinor < 100_00 }, 100_00, 0},
		{"out of money", bank.InsufficientFunds, func(c bank.Customer) bool { return active(c) && c.OpeningMinor < tap && c.DailyLimitMinor > 100_00 }, tap, 0},
	} {
		i, _ := find(t, c.name, c.is)
		request := payment("answer:"+c.name, i)
		request.AmountMinor = c.amount
		for attempt := 1; attempt <= 3; attempt++ {
			got, err := w.Authorise(t.Context(), request)
			if err != nil || got.GetResponseCode() != c.want || got.GetDecidedBy() != serviceName {
				t.Errorf("%s, attempt %d: %v, %v; want %s", c.name, attempt, got, err, c.want)
			}
			w.wantHeld(t, i, c.heldMinor, c.heldMinor)
		}
	}
	for name, number := range map[string]string{
		"mistyped": "5355220000000000", "prepaid": bank.PrepaidNumber(1), "never issued": bank.CardNumber(bank.Customers),
	} {
		request := payment("card:"+name, 0)
		request.CardNumber = number
		if got, err := w.Authorise(t.Context(), request); err != nil || got.GetResponseCode() != bank.NoSuchCard {
			t.Errorf("%s: %v, %v; want %s", name, got, err, bank.NoSuchCard)
		}
	}
}

func TestSameKeyForAnotherPaymentIsRefused(t *testing.T) {
	w := newTown(t)
	i, _ := find(t, "wealthy", wealthy)
	if _, err := w.Authorise(t.Context(), payment("k", i)); err != nil {
		t.Fatal(err)
	}
	other := payment("k", i)
	other.AmountMinor++
	if got, err := w.Authorise(t.Context(), other); status.Code(err) != codes.AlreadyExists {
		t.Errorf("%v, %v; want AlreadyExists", got, err)
	}
	w.wantHeld(t, i, tap, tap)
}

func TestLedgerAway(t *testing.T) {
	w := newTown(t)
	i, _ := find(t, "wealthy", wealthy)
	w.ledger.set(away)
	if got, err := w.Authorise(t.Context(), payment("k", i)); status.Code(err) != codes.Unavailable {
		t.Errorf("%v, %v; want Unavailable: nothing happened", got, err)
	}
	w.wantHeld(t, i, 0, 0)

	w.ledger.set(none)
	if got, err := w.Authorise(t.Context(), payment("k", i)); err != nil || got.GetResponseCode() != bank.Approved {
		t.Errorf("again: %v, %v", got, err)
	}
	w.wantHeld(t, i, tap, tap)
}

func TestLedgerReplyLost(t *testing.T) {
	w := newTown(t)
	i, _ := find(t, "wealthy", wealthy)
	w.ledger.set(replyLost)
	if got, err := w.Authorise(t.Context(), payment("k", i)); status.Code(err) != codes.Aborted {
		t.Errorf("%v, %v; want Aborted: it may have happened", got, err)
	}
	w.wantHeld(t, i, tap, tap)

	w.ledger.set(none)
	if got, err := w.Reverse(t.Context(), &bankv1.ReverseRequest{IdempotencyKey: "k", CardNumber: bank.CardNumber(i)}); err != nil || got.GetResponseCode() != bank.Approved {
		t.Errorf("reverse: %v, %v", got, err)
	}
	w.wantHeld(t, i, 0, 0)
}

func TestReversalComesFirst(t *testing.T) {
	w := newTown(t)
	i, _ := find(t, "wealthy", wealthy)
	for range 2 {
		if _, err := w.Reverse(t.Context(), &bankv1.ReverseRequest{IdempotencyKey: "k", CardNumber: bank.CardNumber(i)}); err != nil {
			t.Fatal(err)
		}
	}
	if got, err := w.Authorise(t.Context(), payment("k", i)); err != nil || got.GetResponseCode() != bank.SystemError {
		t.Errorf("%v, %v; want %s", got, err, bank.SystemError)
	}
	w.wantHeld(t, i, 0, 0)
}

func TestReversalIsNoneWhileTheLedgerIsAway(t *testing.T) {
	w := newTown(t)
	w.ledger.set(away)
	got, err := w.Reverse(t.Context(), &bankv1.ReverseRequest{IdempotencyKey: "k", CardNumber: bank.CardNumber(1)})
	if err == nil {
		t.Errorf("acknowledged: %v", got)
	}
}

func TestAdvice(t *testing.T) {
	w := newTown(t)
	i, c := find(t, "nearly empty", func(c bank.Customer) bool {
		return c.CardState == bank.StateActive && c.OpeningMinor < tap && c.DailyLimitMinor > 100_00
	})
	advise := func(key, code string) (*bankv1.AdviseResponse, error) {
		return w.Advise(t.Context(), &bankv1.AdviseRequest{Authorisation: payment(key, i), ResponseCode: code})
	}
	for delivery := 1; delivery <= 3; delivery++ {
		got, err := advise("yes", bank.Approved)
		if err != nil || got.GetApplied() != (delivery == 1) {
			t.Errorf("delivery %d: %v, %v", delivery, got, err)
		}
	}
	w.wantHeld(t, i, tap, tap)
	entries, err := w.book.Entries(t.Context(), w.book.Tail(), 1)
	if err != nil || len(entries) != 1 {
		t.Fatal(entries, err)
	}
	if e := entries[0]; e.GetOverspendMinor() != tap-c.OpeningMinor || !e.GetWrongDecision() {
		t.Errorf("the overspend is not recorded: %v", e)
	}

	if _, err := advise("no", bank.InsufficientFunds); err != nil {
		t.Fatal(err)
	}
	w.wantHeld(t, i, tap, tap)

	if _, err := w.Reverse(t.Context(), &bankv1.ReverseRequest{IdempotencyKey: bank.AdviceKey("gone"), CardNumber: bank.CardNumber(i)}); err != nil {
		t.Fatal(err)
	}
	if _, err := advise("gone", bank.Approved); err != nil {
		t.Errorf("an advice that was reversed before it came: %v", err)
	}
	w.wantHeld(t, i, tap, tap)

	// The primary's own hold for the payment is another matter.
	if _, err := w.Reverse(t.Context(), &bankv1.ReverseRequest{IdempotencyKey: "yes", CardNumber: bank.CardNumber(i)}); err != nil {
		t.Fatal(err)
	}
	w.wantHeld(t, i, tap, tap)

	if _, err := advise("failed", bank.IssuerInoperative); status.Code(err) != codes.InvalidArgument {
		t.Errorf("a failure is no decision: %v", err)
	}
}

func TestCardState(t *testing.T) {
	w := newTown(t)
	i, c := find(t, "wealthy", wealthy)
	set := func(key string, state bankv1.CardState) error {
		_, err := w.SetCardState(t.Context(), &bankv1.SetCardStateRequest{IdempotencyKey: key, CustomerId: c.ID, State: state})
		return err
	}
	pay := func(key, want string) {
		t.Helper()
		if got, err := w.Authorise(t.Context(), payment(key, i)); err != nil || got.GetResponseCode() != want {
			t.Errorf("%s: %v, %v; want %s", key, got, err, want)
		}
	}
	pay("before", bank.Approved)
	if err := set("freeze", bankv1.CardState_CARD_STATE_FROZEN); err != nil {
		t.Fatal(err)
	}
	pay("while frozen", bank.DoNotHonour)
	pay("before", bank.Approved) // the same answer again
	if err := set("unfreeze", bankv1.CardState_CARD_STATE_ACTIVE); err != nil {
		t.Fatal(err)
	}
	if err := set("freeze", bankv1.CardState_CARD_STATE_FROZEN); err != nil {
		t.Errorf("a repetition: %v", err)
	}
	pay("after", bank.Approved)
	pay("while frozen", bank.DoNotHonour)

	card, err := w.GetCard(t.Context(), &bankv1.GetCardRequest{CustomerId: c.ID})
	if err != nil || card.GetState() != bankv1.CardState_CARD_STATE_ACTIVE ||
		card.GetCardNumber() != c.CardNumber || card.GetDailyLimitRemainingMinor() != c.DailyLimitMinor-2*tap {
		t.Errorf("card %v, %v", card, err)
	}

	_, expired := find(t, "expired", func(c bank.Customer) bool { return c.CardState == bank.StateExpired })
	c = expired
	if err := set("revive", bankv1.CardState_CARD_STATE_ACTIVE); status.Code(err) != codes.FailedPrecondition {
		t.Errorf("an expired card: %v", err)
	}
	c.ID = "c99999"
	if err := set("nobody", bankv1.CardState_CARD_STATE_FROZEN); status.Code(err) != codes.NotFound {
		t.Errorf("nobody's card: %v", err)
	}
	if _, err := w.GetCard(t.Context(), &bankv1.GetCardRequest{CustomerId: "c99999"}); status.Code(err) != codes.NotFound {
		t.Errorf("nobody's card: %v", err)
	}
}

// Whatever becomes of its attempts, a payment that was answered is held
// against the limit exactly as in the ledger, and a reversed one nowhere.
func TestLimitAndMoneyAgree(t *testing.T) {
	var cards, money *book.Pebble
	var ledger *onBook
	var s *service
	open := func() {
		cards, money = openStore(t, bank.StoreCards), openStore(t, bank.StoreLedger)
		ledger = &onBook{store: money}
		s = newService(slog.New(slog.DiscardHandler), cards, direct{ledger})
	}
	next := customers
	rapid.Check(t, func(t *rapid.T) {
		for next++; next >= customers || !wealthy(bank.CustomerAt(next)); next++ {
			if next >= customers { // the first time, or all have a history
				open()
				next = -1
			}
		}
		i := next
		attempts := rapid.SliceOfN(rapid.SampledFrom([]fault{none, away, replyLost}), 0, 6).Draw(t, "attempts")
		reversed := rapid.Bool().Draw(t, "reversed")
		key := fmt.Sprintf("agree:%d", i)
		for _, f := range attempts {
			ledger.set(f)
			_, err := s.Authorise(t.Context(), payment(key, i))
			if (err == nil) != (f == none) {
				t.Fatalf("fault %d: %v", f, err)
			}
		}
		ledger.set(none)
		want := int64(tap)
		if reversed {
			want = 0
			if _, err := s.Reverse(t.Context(), &bankv1.ReverseRequest{IdempotencyKey: key, CardNumber: bank.CardNumber(i)}); err != nil {
				t.Fatal(err)
			}
		}
		answer, err := s.Authorise(t.Context(), payment(key, i))
		if err != nil || (answer.GetResponseCode() == bank.Approved) == reversed {
			t.Fatalf("at last %v, %v", answer, err)
		}
		if limit, money := held(t, cards, money, i); limit != want || money != want {
			t.Fatalf("held of the limit %d, of the money %d, want %d of each", limit, money, want)
		}
	})
}
