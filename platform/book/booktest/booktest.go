// Package booktest is the conformance suite that every engine of package book
// must pass: whatever keeps the money, the books must come out the same.
package booktest

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"

	"google.golang.org/protobuf/proto"

	"breakbank/platform/book"
	bookv1 "breakbank/proto/book/v1"
)

// Kinds of operation, by shorter names.
const (
	Post     = bookv1.OperationKind_OPERATION_KIND_POST
	Place    = bookv1.OperationKind_OPERATION_KIND_HOLD
	Capture  = bookv1.OperationKind_OPERATION_KIND_CAPTURE
	Release  = bookv1.OperationKind_OPERATION_KIND_RELEASE
	Advice   = bookv1.OperationKind_OPERATION_KIND_ADVICE
	SetState = bookv1.OperationKind_OPERATION_KIND_SET_STATE
	OpenAcc  = bookv1.OperationKind_OPERATION_KIND_OPEN
)

// Refusals, by shorter names.
const (
	Done         = bookv1.Refusal_REFUSAL_UNSPECIFIED
	Insufficient = bookv1.Refusal_REFUSAL_INSUFFICIENT_FUNDS
	NoAccount    = bookv1.Refusal_REFUSAL_NO_SUCH_ACCOUNT
	Released     = bookv1.Refusal_REFUSAL_RELEASED
	Frozen       = bookv1.Refusal_REFUSAL_FROZEN
	NoHold       = bookv1.Refusal_REFUSAL_NO_SUCH_HOLD
)

// Op is an operation in one line; empty strings leave fields empty.
func Op(key string, kind bookv1.OperationKind, debit, credit string, amountMinor int64, hold string) *bookv1.Operation {
	return &bookv1.Operation{
		Key: key, Kind: kind, DebitAccount: debit, CreditAccount: credit, AmountMinor: amountMinor, HoldKey: hold,
	}
}

// Decided is an advice.
func Decided(key, account string, amountMinor int64, hold, decision string) *bookv1.Operation {
	op := Op(key, Advice, account, "", amountMinor, hold)
	op.Decision = decision
	return op
}

// Run runs the suite. Each test calls open for an empty store and closes it.
func Run(t *testing.T, open func(t *testing.T) book.Store) {
	tests := []struct {
		name string
		run  func(*testing.T, book.Store)
	}{
		{"stories", testStories},
		{"a key is answered once", testIdempotency},
		{"one key from many callers at once", testConcurrentKey},
		{"no caller takes what another has taken", testConcurrentFunds},
		{"what makes no sense is not journalled", testInvalid},
		{"the journal can be read in parts", testEntries},
		{"accounts", testAccounts},
		{"a closed store", testClosed},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			store := open(t)
			test.run(t, store)
			if err := store.Close(); err != nil {
				t.Errorf("close: %v", err)
			}
		})
	}
}

func open(t *testing.T, s book.Store, accounts ...string) {
	t.Helper()
	for _, id := range accounts {
		apply(t, s, Op("open:"+id, OpenAcc, id, "", 100, ""), Done)
	}
}

// apply performs op and expects the refusal.
func apply(t *testing.T, s book.Store, op *bookv1.Operation, want bookv1.Refusal) book.Result {
	t.Helper()
	got, err := s.Apply(t.Context(), op)
	if err != nil {
		t.Fatalf("%v %q: %v", op.GetKind(), op.GetKey(), err)
	}
	if got.Refusal != want {
		t.Fatalf("%v %q: %v, want %v", op.GetKind(), op.GetKey(), got.Refusal, want)
	}
	return got
}

// Journal reads all entries, in parts.
func Journal(ctx context.Context, s book.Store) ([]*bookv1.Entry, error) {
	var all []*bookv1.Entry
	for {
		entries, err := s.Entries(ctx, int64(len(all))+1, book.MaxEntries)
		if err != nil || len(entries) == 0 {
			return all, err
		}
		all = append(all, entries...)
	}
}

// Check holds a store against its own journal: the entries follow from each
// other, replaying them gives the balances, and the balances sum to zero.
func Check(ctx context.Context, s book.Store) (*book.Replay, error) {
	entries, err := Journal(ctx, s)
	if err != nil {
		return nil, err
	}
	replay := book.NewReplay()
	for _, e := range entries {
		if err := replay.Add(e); err != nil {
			return nil, err
		}
	}
	var sum int64
	for id, want := range replay.Accounts() {
		got, err := s.Account(ctx, id)
		if err != nil {
			return nil, err
		}
		if !proto.Equal(got, want) {
			return nil, fmt.Errorf("account %v, the journal makes it %v", got, want)
		}
		sum += got.GetBalanceMinor()
	}
	if sum != 0 {
		return nil, fmt.Errorf("the balances sum to %d, want 0", sum)
	}
	return replay, nil
}

func check(t *testing.T, s book.Store) *book.Replay {
	t.Helper()
	replay, err := Check(t.Context(), s)
	if err != nil {
		t.Fatal(err)
	}
	return replay
}

func testIdempotency(t *testing.T, s book.Store) {
	open(t, s, "a", "b")
	ops := []*bookv1.Operation{
		Op("p", Post, "a", "b", 60, ""),
		Op("refused", Post, "a", "b", 60, ""),
		Op("h", Place, "b", "", 10, ""),
		Op("c", Capture, "", "bank:scheme", 0, "h"),
	}
	var first []book.Result
	for i, op := range ops {
		first = append(first, apply(t, s, op, []bookv1.Refusal{Done, Insufficient, Done, Done}[i]))
	}
	for i, op := range ops {
		again, err := s.Apply(t.Context(), op)
		want := first[i]
		want.Replayed = true
		if err != nil || again != want {
			t.Errorf("%q again: %+v, %v, want %+v", op.GetKey(), again, err, want)
		}
		other := proto.CloneOf(op)
		other.Reference = "something else"
		if _, err := s.Apply(t.Context(), other); !errors.Is(err, book.ErrKeyReused) {
			t.Errorf("%q for something else: %v, want ErrKeyReused", op.GetKey(), err)
		}
	}
	if last := check(t, s).Last(); last != 6 {
		t.Errorf("%d entries, want 6", last)
	}
}

func testConcurrentKey(t *testing.T, s book.Store) {
	open(t, s, "a", "b")
	const callers = 32
	results := make([]book.Result, callers)
	var done sync.WaitGroup
	for i := range callers {
		done.Go(func() {
			var err error
			if results[i], err = s.Apply(t.Context(), Op("p", Post, "a", "b", 60, "")); err != nil {
				t.Error(err)
			}
		})
	}
	done.Wait()
	executed := 0
	for _, r := range results {
		if !r.Replayed {
			executed++
		}
		if r.Sequence != results[0].Sequence || r.Refusal != Done {
			t.Errorf("answers differ: %+v and %+v", r, results[0])
		}
	}
	if executed != 1 {
		t.Errorf("executed %d times, want once", executed)
	}
	check(t, s)
}

func testConcurrentFunds(t *testing.T, s book.Store) {
	open(t, s, "a", "b")
	const callers = 32
	var took sync.Map
	var done sync.WaitGroup
	for i := range callers {
		done.Go(func() {
			r, err := s.Apply(t.Context(), Op(fmt.Sprintf("p%d", i), Post, "a", "b", 30, ""))
			if err != nil {
				t.Error(err)
			}
			if r.Refusal == Done {
				took.Store(i, true)
			}
		})
	}
	done.Wait()
	n := 0
	took.Range(func(any, any) bool { n++; return true })
	if n != 3 {
		t.Errorf("30 was taken %d times from 100, want 3", n)
	}
	check(t, s)
}

func testInvalid(t *testing.T, s book.Store) {
	open(t, s, "a", "b")
	apply(t, s, Op("h", Place, "a", "", 10, ""), Done)
	long := Op("long", Post, "a", "b", 1, "")
	long.Reference = string(make([]byte, 2000))
	garbled := Op("garbled", Post, "a", "b", 1, "")
	garbled.Reference = "\xff"
	invalid := map[string]*bookv1.Operation{
		"no operation":             nil,
		"no key":                   Op("", Post, "a", "b", 1, ""),
		"no kind":                  Op("x", 0, "a", "b", 1, ""),
		"unknown kind":             Op("x", 99, "a", "b", 1, ""),
		"nothing to move":          Op("x", Post, "a", "b", 0, ""),
		"negative amount":          Op("x", Post, "a", "b", -1, ""),
		"amount beyond all reason": Op("x", Post, "a", "b", 1<<60, ""),
		"from itself":              Op("x", Post, "a", "a", 1, ""),
		"no debit account":         Op("x", Post, "", "b", 1, ""),
		"no credit account":        Op("x", Post, "a", "", 1, ""),
		"capture without a hold":   Op("x", Capture, "", "b", 0, ""),
		"capture of another sum":   Op("x", Capture, "", "b", 7, "h"),
		"capture into itself":      Op("x", Capture, "", "a", 0, "h"),
		"a hold twice":             Op("x", Place, "b", "", 10, "h"),
		"advice without decision":  Op("x", Advice, "a", "", 1, ""),
		"advice on another's hold": Decided("x", "b", 1, "h", "00"),
		"no state":                 Op("x", SetState, "a", "", 0, ""),
		"open twice":               Op("x", OpenAcc, "a", "", 1, ""),
		"open the bank":            Op("x", OpenAcc, "bank:scheme", "", 1, ""),
		"a long reference":         long,
	}
	for name, op := range invalid {
		if _, err := s.Apply(t.Context(), op); !errors.Is(err, book.ErrInvalid) {
			t.Errorf("%s: %v, want ErrInvalid", name, err)
		}
	}
	if _, err := s.Apply(t.Context(), garbled); err == nil {
		t.Error("text that is not UTF-8 was taken")
	}
	if last := check(t, s).Last(); last != 3 {
		t.Errorf("%d entries, want 3", last)
	}
	// A key that came with nonsense is still free.
	apply(t, s, Op("x", Post, "a", "b", 1, ""), Done)
}

func testEntries(t *testing.T, s book.Store) {
	if entries, err := s.Entries(t.Context(), 0, 10); err != nil || len(entries) != 0 {
		t.Errorf("the empty journal: %v, %v", entries, err)
	}
	open(t, s, "a", "b", "c", "d", "e")
	for _, test := range []struct {
		from        int64
		limit       int
		first, last int64
	}{{0, 2, 1, 2}, {1, 2, 1, 2}, {3, 2, 3, 4}, {5, 10, 5, 5}, {6, 10, 0, 0}, {1, 0, 0, 0}, {1, 1 << 20, 1, 5}} {
		entries, err := s.Entries(t.Context(), test.from, test.limit)
		if err != nil {
			t.Fatal(err)
		}
		var first, last int64
		for i, e := range entries {
			if i > 0 && e.GetSequence() != last+1 {
				t.Errorf("entry %d after %d", e.GetSequence(), last)
			}
			last = e.GetSequence()
			first = entries[0].GetSequence()
		}
		if first != test.first || last != test.last {
			t.Errorf("from %d, %d of them: %d to %d, want %d to %d", test.from, test.limit, first, last, test.first, test.last)
		}
	}
}

func testAccounts(t *testing.T, s book.Store) {
	if _, err := s.Account(t.Context(), "a"); !errors.Is(err, book.ErrNoSuchAccount) {
		t.Errorf("got %v, want ErrNoSuchAccount", err)
	}
	if a, err := s.Account(t.Context(), "bank:scheme"); err != nil || a.GetBalanceMinor() != 0 {
		t.Errorf("the bank's own account: %v, %v", a, err)
	}
	op := Op("o", OpenAcc, "a", "", 100, "")
	op.State, op.LimitMinor = "expired", -50
	apply(t, s, op, Done)
	want := &bookv1.Account{Id: "a", BalanceMinor: 100, LimitMinor: -50, State: "expired"}
	if got, err := s.Account(t.Context(), "a"); err != nil || !proto.Equal(got, want) {
		t.Errorf("got %v, %v, want %v", got, err, want)
	}
	if got, err := s.Account(t.Context(), "bank:opening"); err != nil || got.GetBalanceMinor() != -100 {
		t.Errorf("the other side: %v, %v, want -100", got, err)
	}
}

func testClosed(t *testing.T, s book.Store) {
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Apply(t.Context(), Op("o", OpenAcc, "a", "", 1, "")); err == nil {
		t.Error("a closed store takes operations")
	}
	if _, err := s.Account(t.Context(), "bank:opening"); err == nil {
		t.Error("a closed store reads accounts")
	}
	if _, err := s.Entries(t.Context(), 1, 1); err == nil {
		t.Log("a closed, empty store may answer that there are no entries")
	}
}
