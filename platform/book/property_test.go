package book_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"
	"pgregory.net/rapid"

	"breakbank/platform/book"
	"breakbank/platform/book/booktest"
	bookv1 "breakbank/proto/book/v1"
)

// drawHistory draws operations on two open accounts and others.
func drawHistory(t *rapid.T) []*bookv1.Operation {
	history := []*bookv1.Operation{
		booktest.Op("open a", booktest.OpenAcc, "a", "", 200, ""),
		booktest.Op("open b", booktest.OpenAcc, "b", "", 100, ""),
	}
	for i := range rapid.IntRange(1, 40).Draw(t, "operations") {
		history = append(history, drawOperation(t, fmt.Sprint(i)))
	}
	return history
}

// drawOperation draws an operation from a small world, so that keys, holds
// and accounts meet often.
func drawOperation(t *rapid.T, label string) *bookv1.Operation {
	accounts := []string{"a", "b", "c", "bank:scheme"}
	op := &bookv1.Operation{
		Key: rapid.SampledFrom(names("k", 12)).Draw(t, label+" key"),
		Kind: rapid.SampledFrom([]bookv1.OperationKind{
			booktest.Post, booktest.Post, booktest.Place, booktest.Place, booktest.Capture,
			booktest.Release, booktest.Advice, booktest.SetState, booktest.OpenAcc,
		}).Draw(t, label+" kind"),
		DebitAccount:  rapid.SampledFrom(accounts).Draw(t, label+" debit"),
		CreditAccount: rapid.SampledFrom(accounts).Draw(t, label+" credit"),
		AmountMinor:   rapid.Int64Range(0, 120).Draw(t, label+" amount"),
	}
	switch op.GetKind() {
	case booktest.Capture, booktest.Release:
		op.HoldKey = rapid.SampledFrom(names("k", 12)).Draw(t, label+" hold")
		op.AmountMinor = 0
	case booktest.Advice:
		op.Decision = rapid.SampledFrom([]string{"00", "51"}).Draw(t, label+" decision")
	case booktest.SetState:
		op.State = rapid.SampledFrom([]string{book.StateActive, book.StateFrozen}).Draw(t, label+" state")
	case booktest.OpenAcc:
		op.LimitMinor = rapid.Int64Range(-50, 0).Draw(t, label+" limit")
	}
	return op
}

func names(prefix string, n int) []string {
	all := make([]string, n)
	for i := range all {
		all[i] = fmt.Sprint(prefix, i)
	}
	return all
}

// mustKeep are the invariants after one operation, whose entry is the last.
func mustKeep(t *rapid.T, before, after *book.Replay, e *bookv1.Entry) {
	var sum int64
	for id, a := range after.Accounts() {
		sum += a.GetBalanceMinor()
		if a.GetHeldMinor() < 0 {
			t.Fatalf("after %v: account %v holds less than nothing", e, a)
		}
		available := a.GetBalanceMinor() - a.GetHeldMinor()
		below := max(0, a.GetLimitMinor()-available)
		if book.IsBank(id) || below == 0 {
			continue
		}
		var belowBefore int64
		if b := before.Accounts()[id]; b != nil {
			belowBefore = max(0, b.GetLimitMinor()-b.GetBalanceMinor()+b.GetHeldMinor())
		}
		if below-belowBefore > e.GetOverspendMinor() {
			t.Fatalf("after %v: account %v is below its limit by %d more", e, a, below-belowBefore)
		}
	}
	if sum != 0 {
		t.Fatalf("after %v: the balances sum to %d", e, sum)
	}
}

// TestInvariants draws histories and checks, after each operation, that money
// is conserved and no account is below its limit but by a declared overspend.
func TestInvariants(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var journal []*bookv1.Entry
		model := book.NewReplay()
		replayed := func() *book.Replay {
			r := book.NewReplay()
			for _, e := range journal {
				if err := r.Add(e); err != nil {
					t.Fatal(err)
				}
			}
			return r
		}
		for i, op := range drawHistory(t) {
			asked := proto.CloneOf(op)
			before := replayed()
			d, err := book.Decide(model, op, model.Last()+1, time.Unix(int64(i), 0))
			if !proto.Equal(op, asked) {
				t.Fatalf("deciding changed the operation to %v", op)
			}
			if err != nil {
				if !errors.Is(err, book.ErrInvalid) && !errors.Is(err, book.ErrKeyReused) {
					t.Fatal(err)
				}
				continue
			}
			if d.Entry == nil {
				continue
			}
			journal = append(journal, d.Entry)
			if err := model.Add(d.Entry); err != nil {
				t.Fatal(err)
			}
			mustKeep(t, before, model, d.Entry)
		}
	})
}

// TestEngineAgreesWithTheCore plays drawn histories, with repeats, to the
// engine in groups, and holds its answers and books against the core's.
func TestEngineAgreesWithTheCore(t *testing.T) {
	rapid.Check(t, func(r *rapid.T) {
		store, err := book.OpenPebble(t.TempDir(), book.Options{Durability: book.Memory})
		if err != nil {
			r.Fatal(err)
		}
		defer func() {
			if err := store.Close(); err != nil {
				r.Fatal(err)
			}
		}()
		ctx := context.Background()
		answers := map[string]book.Result{}
		for _, op := range drawHistory(r) {
			first, err := store.Apply(ctx, op)
			if err != nil {
				continue
			}
			again, err := store.Apply(ctx, op)
			if err != nil || !again.Replayed || again.Sequence != first.Sequence || again.Refusal != first.Refusal {
				r.Fatalf("%v: %+v, then %+v, %v", op, first, again, err)
			}
			if known, ok := answers[op.GetKey()]; ok != first.Replayed || ok && known.Sequence != first.Sequence {
				r.Fatalf("%v: %+v, but the key was answered %+v before", op, first, known)
			}
			answers[op.GetKey()] = again
		}
		replay, err := booktest.Check(ctx, store)
		if err != nil {
			r.Fatal(err)
		}
		if int(replay.Last()) != len(answers) {
			r.Fatalf("%d entries for %d keys", replay.Last(), len(answers))
		}
	})
}

// TestReplayRefusesAJournalThatCannotBe plants what the audit must find.
func TestReplayRefusesAJournalThatCannotBe(t *testing.T) {
	store := openPebble(t, t.TempDir(), book.Options{Durability: book.Memory})
	if err := store.Seed(t.Context(), []*bookv1.Operation{
		booktest.Op("1", booktest.OpenAcc, "a", "", 100, ""),
		booktest.Op("2", booktest.Place, "a", "", 60, ""),
		booktest.Op("3", booktest.Capture, "", "bank:scheme", 0, "2"),
	}); err != nil {
		t.Fatal(err)
	}
	journal, err := booktest.Journal(t.Context(), store)
	if err != nil {
		t.Fatal(err)
	}
	defects := map[string]func(entries []*bookv1.Entry) []*bookv1.Entry{
		"a gap":                func(e []*bookv1.Entry) []*bookv1.Entry { return append(e[:1], e[2:]...) },
		"a repeated key":       func(e []*bookv1.Entry) []*bookv1.Entry { e[1].Operation.Key = "1"; return e },
		"more than there was":  func(e []*bookv1.Entry) []*bookv1.Entry { e[1].Operation.AmountMinor = 101; return e },
		"another sum captured": func(e []*bookv1.Entry) []*bookv1.Entry { e[2].Operation.AmountMinor = 59; return e },
		"another account":      func(e []*bookv1.Entry) []*bookv1.Entry { e[2].Operation.DebitAccount = "b"; return e },
		"an unjust refusal":    func(e []*bookv1.Entry) []*bookv1.Entry { e[1].Refusal = booktest.Frozen; return e },
	}
	for name, plant := range defects {
		t.Run(name, func(t *testing.T) {
			entries := make([]*bookv1.Entry, len(journal))
			for i, e := range journal {
				entries[i] = proto.CloneOf(e)
			}
			replay := book.NewReplay()
			var err error
			for _, e := range plant(entries) {
				if err = replay.Add(e); err != nil {
					break
				}
			}
			if !errors.Is(err, book.ErrJournal) {
				t.Errorf("got %v, want ErrJournal", err)
			}
		})
	}
}
