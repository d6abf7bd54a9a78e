package audit

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"

	"google.golang.org/protobuf/proto"

	"breakbank/loadgen"
	"breakbank/loadgen/customers"
	bookv1 "breakbank/proto/book/v1"
	"breakbank/services/bank"
)

func TestARightRunPasses(t *testing.T) {
	s := newScene(t)
	s.play()
	a := Run(s.evidence())
	for _, c := range a.Checks {
		if !c.Passed || c.Checked == 0 {
			t.Errorf("%s: passed %v, checked %d: %s", c.Name, c.Passed, c.Checked, c.Detail)
		}
		if c.Name == "decisions right" && c.Checked != 1 {
			t.Errorf("%d decisions checked, there is one no", c.Checked)
		}
	}
	if !a.Passed || a.Figures.AdvicesApplied != 1 || a.Figures.UnknownHappened != 3 || a.Figures.ChargedAgain != 1 || a.Figures.WrongApprovals != 0 {
		t.Errorf("passed %v with figures %+v", a.Passed, a.Figures)
	}
}

// TestPlantedDefectsAreCaught proves that each check can fail, and that it is
// the right one which does.
func TestPlantedDefectsAreCaught(t *testing.T) {
	approved := loadgen.Decision{Outcome: loadgen.OK, Code: bank.Approved}
	untouched := newScene(t)
	untouched.play()
	untouched.close()
	for name, defect := range map[string]struct {
		plant  func(*scene)    // before the stores are closed
		hide   func(*scene)    // behind their back, once they are closed
		doctor func(*Evidence) // after they were read
		caught string
	}{
		"a credit is lost": {
			doctor: func(e *Evidence) { e.Books[bank.StoreLedger].Balances[bank.CurrentAccount(bob)].BalanceMinor -= 400 },
			caught: "conservation",
		},
		"a balance is not what its journal says": {
			doctor: func(e *Evidence) { e.Books[bank.StoreLedger].Balances[bank.CurrentAccount(bob)].HeldMinor++ },
			caught: "journal replays to the balances",
		},
		"money lies in an account that nobody opened": {
			hide: func(s *scene) {
				s.hide(bank.StoreLedger, &bookv1.Account{Id: "acc-hidden", BalanceMinor: 500})
			},
			caught: "conservation",
		},
		"an account that nobody opened": {
			hide:   func(s *scene) { s.hide(bank.StorePrepaid, &bookv1.Account{Id: "pre-hidden"}) },
			caught: "journal replays to the balances",
		},
		"an account is missing": {
			doctor: func(e *Evidence) { delete(e.Books[bank.StoreCards].Balances, bank.LimitAccount(bob)) },
			caught: "journal replays to the balances",
		},
		"an account was seeded with other money": {
			doctor: func(e *Evidence) {
				b := e.Books[bank.StorePrepaid]
				op := b.Entries[bank.OpenKey(bank.PrepaidAccount(bob))].GetOperation()
				op.AmountMinor++
			},
			caught: "opening balances",
		},
		"a payment was acknowledged before it was written, and lost": {
			plant: func(s *scene) {
				s.recorded(customers.TransferOut, alice, "vanished", 500, loadgen.Decision{Outcome: loadgen.OK, Code: "OK"})
			},
			caught: "acknowledged exactly once",
		},
		"a tap is charged by primary and stand-in both": {
			plant: func(s *scene) {
				s.apply(bank.StoreCards, advice(bank.LimitAccount(alice), "tap", bank.Approved, 700))
				s.apply(bank.StoreLedger, advice(bank.CurrentAccount(alice), "tap", bank.Approved, 700))
			},
			caught: "acknowledged exactly once",
		},
		"a transfer was posted with another amount": {
			plant: func(s *scene) {
				s.apply(bank.StoreLedger, post(bank.CurrentAccount(alice), bank.AccountFPS, "wrong", 5))
				s.recorded(customers.TransferOut, alice, "wrong", 50, loadgen.Decision{Outcome: loadgen.OK, Code: "OK"})
			},
			caught: "acknowledged exactly once",
		},
		"a limit was taken without the money": {
			plant: func(s *scene) {
				s.apply(bank.StoreCards, hold(bank.LimitAccount(bob), "half", 60))
				s.apply(bank.StoreLedger, hold(bank.CurrentAccount(bob), "half", 60))
				s.apply(bank.StoreLedger, &bookv1.Operation{
					Key: bank.ReversalKey("half"), Kind: bookv1.OperationKind_OPERATION_KIND_RELEASE,
					DebitAccount: bank.CurrentAccount(bob), HoldKey: "half",
				})
				s.recorded(customers.CardTap, bob, "half", 60, approved)
			},
			caught: "acknowledged exactly once",
		},
		"a failed payment took the money": {
			plant:  func(s *scene) { s.apply(bank.StoreLedger, hold(bank.CurrentAccount(alice), "dead", 100)) },
			caught: "rejected never",
		},
		"an unanswered tap was charged twice": {
			plant: func(s *scene) {
				for _, store := range []struct{ name, account string }{
					{bank.StoreCards, bank.LimitAccount(bob)}, {bank.StoreLedger, bank.CurrentAccount(bob)},
				} {
					s.apply(store.name, hold(store.account, "twice", 10))
					s.apply(store.name, advice(store.account, "twice", bank.Approved, 10))
				}
				s.recorded(customers.CardTap, bob, "twice", 10, loadgen.Decision{Outcome: loadgen.Unknown, Code: "DEADLINE_EXCEEDED"})
			},
			caught: "unknown at most once",
		},
		"a transfer that was tried again was posted for each try": {
			plant: func(s *scene) {
				s.apply(bank.StoreLedger, post(bank.CurrentAccount(alice), bank.AccountFPS, "once", 70))
				s.apply(bank.StoreLedger, post(bank.CurrentAccount(alice), bank.AccountFPS, "once, retried", 70))
				s.recorded(customers.TransferOut, alice, "once", 70, lost)
				s.retried("once", loadgen.Decision{Outcome: loadgen.OK, Code: "OK"})
			},
			caught: "nothing that nobody asked for",
		},
		"the tries of a payment were charged by primary and stand-in each": {
			plant: func(s *scene) {
				for _, store := range []struct{ name, account string }{
					{bank.StoreCards, bank.LimitAccount(alice)}, {bank.StoreLedger, bank.CurrentAccount(alice)},
				} {
					s.apply(store.name, hold(store.account, "both", 10))
					s.apply(store.name, advice(store.account, "both", bank.Approved, 10))
				}
				s.recorded(customers.CardTap, alice, "both", 10, lost)
				s.retried("both", loadgen.Decision{Outcome: loadgen.Degraded, Code: bank.Approved, Standin: true})
			},
			caught: "acknowledged exactly once",
		},
		"a payment was acknowledged to the second try, and lost": {
			plant: func(s *scene) {
				s.recorded(customers.TransferOut, alice, "at last", 70, lost)
				s.retried("at last", loadgen.Decision{Outcome: loadgen.OK, Code: "OK"})
			},
			caught: "acknowledged exactly once",
		},
		"a payment that every try was refused took the money": {
			plant: func(s *scene) {
				s.apply(bank.StoreLedger, post(bank.CurrentAccount(alice), bank.AccountFPS, "never", 70))
				s.recorded(customers.TransferOut, alice, "never", 70, loadgen.Decision{Outcome: loadgen.Failed, Code: "UNAVAILABLE"})
				s.retried("never", loadgen.Decision{Outcome: loadgen.Failed, Code: "UNAVAILABLE"})
			},
			caught: "rejected never",
		},
		"a refused tap took the money, though the one after it was approved": {
			plant: func(s *scene) {
				s.apply(bank.StorePrepaid, hold(bank.PrepaidAccount(alice), "no", 10))
				s.apply(bank.StorePrepaid, hold(bank.PrepaidAccount(alice), "no-1", 10))
				s.recorded(customers.PrepaidTap, alice, "no", 10, loadgen.Decision{Outcome: loadgen.Failed, Code: bank.SystemError})
				s.retried("no-1", approved)
			},
			caught: "rejected never",
		},
		"a posting is invented": {
			plant: func(s *scene) {
				s.apply(bank.StoreLedger, post(bank.CurrentAccount(bob), bank.AccountFPS, "nobody's", 900))
			},
			caught: "nothing that nobody asked for",
		},
		"an advice is dropped": {
			plant: func(s *scene) {
				s.recorded(customers.CardTap, bob, "dropped", 900,
					loadgen.Decision{Outcome: loadgen.Degraded, Code: bank.Approved, Standin: true})
			},
			caught: "advices applied once",
		},
		"an advice is invented": {
			plant: func(s *scene) {
				s.apply(bank.StoreLedger, advice(bank.CurrentAccount(bob), "nobody", bank.Approved, 900))
			},
			caught: "advices applied once",
		},
		"a payment was declined for no reason": {
			plant: func(s *scene) {
				s.recorded(customers.CardTap, alice, "why", 100, loadgen.Decision{Outcome: loadgen.Declined, Code: bank.InsufficientFunds})
			},
			caught: "decisions right",
		},
		"an account is below its limit and nobody overspent": {
			doctor: func(e *Evidence) {
				e.Books[bank.StoreLedger].Balances[bank.CurrentAccount(bob)].HeldMinor += 1_000_000_000
			},
			caught: "no account below its limit",
		},
		"the platform was killed with advices waiting": {
			doctor: func(e *Evidence) { e.Drained = false },
			caught: "backlogs drained",
		},
		"a journey is recorded twice": {
			doctor: func(e *Evidence) { e.Records = append(e.Records, e.Records[0]) },
			caught: "accounting",
		},
	} {
		t.Run(name, func(t *testing.T) {
			s := &scene{t: t, dir: untouched.dir, records: slices.Clone(untouched.records)}
			if defect.plant != nil || defect.hide != nil {
				t.Parallel()
				s = newScene(t)
				s.play()
			}
			if defect.plant != nil {
				defect.plant(s)
			}
			s.close()
			if defect.hide != nil {
				defect.hide(s)
			}
			e := s.read()
			if defect.doctor != nil {
				defect.doctor(&e)
			}
			a := Run(e)
			if a.Passed {
				t.Fatal("the audit passed")
			}
			for _, c := range a.Checks {
				if c.Name == defect.caught && !c.Passed {
					return
				}
			}
			t.Errorf("not caught by %q: %v", defect.caught, a.Checks)
		})
	}
}

func TestStandInsMistakesAreCountedNotRefused(t *testing.T) {
	s := newScene(t)
	const much = 100_000_000
	balance := bank.CustomerAt(bob).OpeningMinor
	for _, store := range []struct{ name, account string }{
		{bank.StoreCards, bank.LimitAccount(bob)}, {bank.StoreLedger, bank.CurrentAccount(bob)},
	} {
		s.apply(store.name, advice(store.account, "stingy", bank.InsufficientFunds, 1))
		s.apply(store.name, advice(store.account, "lavish", bank.Approved, much))
	}
	s.recorded(customers.CardTap, bob, "lavish", much, loadgen.Decision{Outcome: loadgen.Degraded, Code: bank.Approved, Standin: true})
	s.recorded(customers.CardTap, bob, "stingy", 1, loadgen.Decision{Outcome: loadgen.Degraded, Code: bank.InsufficientFunds, Standin: true})
	a := Run(s.evidence())
	if !a.Passed {
		t.Errorf("the audit refuses stand-in's declared mistakes: %+v", a.Checks)
	}
	if f := a.Figures; f.WrongApprovals != 1 || f.WrongDeclines != 1 || f.OverspendMinor != much-balance {
		t.Errorf("figures are %+v; want one wrong yes, one wrong no, %d overspent", f, much-balance)
	}
}

// TestHoldsReversedAreCounted counts what was given back, in both stores that
// hold customers' money, and not what there was nothing to give back of.
func TestHoldsReversedAreCounted(t *testing.T) {
	s := newScene(t)
	release := func(account, key string) *bookv1.Operation {
		return &bookv1.Operation{
			Key: bank.ReversalKey(key), Kind: bookv1.OperationKind_OPERATION_KIND_RELEASE, DebitAccount: account, HoldKey: key,
		}
	}
	for _, reversed := range []struct{ store, account string }{
		{bank.StoreLedger, bank.CurrentAccount(alice)},
		{bank.StoreCards, bank.LimitAccount(alice)},
		{bank.StorePrepaid, bank.PrepaidAccount(alice)},
	} {
		s.apply(reversed.store, hold(reversed.account, "given-back", 10))
		s.apply(reversed.store, release(reversed.account, "given-back"))
		s.apply(reversed.store, release(reversed.account, "never-came"))
	}
	s.apply(bank.StoreLedger, advice(bank.CurrentAccount(bob), "stood-in", bank.Approved, 10))
	s.apply(bank.StoreLedger, release(bank.CurrentAccount(bob), bank.AdviceKey("stood-in")))
	if f := Run(s.evidence()).Figures; f.HoldsReversed != 3 {
		t.Errorf("%d holds reversed, want the primary's, prepaid's, and the one of stand-in's advice", f.HoldsReversed)
	}
}

func TestAccounting(t *testing.T) {
	sound := func() []loadgen.Record {
		done := loadgen.Decision{Outcome: loadgen.OK}
		records := []loadgen.Record{
			{Load: "warmup", Seq: 0, Journey: customers.CardTap, Key: "1", Decision: done},
			{Load: "main", Seq: 0, Journey: customers.TransferIn, Key: "2", Decision: done},
			{Load: "main", Seq: 0, Retry: 1, Journey: customers.TransferIn, Key: "2", Decision: done},
			{Load: "main", Seq: 1, Journey: customers.AppRefresh, Decision: done},
			{Load: "main", Seq: 2, Journey: customers.CopsLookup, Decision: done},
		}
		for i := range records {
			records[i].Name = customers.Journeys[records[i].Journey].Name
		}
		return records
	}
	if f := checkAccounting(Evidence{Records: sound()}); !f.faults.none() || f.checked != 5 {
		t.Errorf("a sound record: %d checked, %s", f.checked, f.faults.String())
	}
	for want, spoil := range map[string]func([]loadgen.Record){
		"key 1 is of two journeys":                func(r []loadgen.Record) { r[1].Key = "1" },
		"transfer_in 0 of load main is recorded ": func(r []loadgen.Record) { r[2].Retry = 0 },
		"and the try before is not recorded":      func(r []loadgen.Record) { r[2].Retry = 2 },
		"app_refresh 2 of load main is recorded":  func(r []loadgen.Record) { r[4].Name, r[3].Seq = r[3].Name, 2 },
		"transfer_in 0 of load main has no key":   func(r []loadgen.Record) { r[1].Key = "" },
		"card_tap 0 of load warmup ended in no":   func(r []loadgen.Record) { r[0].Outcome = 0 },
		"cops_lookup 2 of load main ended in no ": func(r []loadgen.Record) { r[4].Outcome = loadgen.Unknown + 1 },
	} {
		records := sound()
		spoil(records)
		if f := checkAccounting(Evidence{Records: records}); !strings.Contains(f.faults.String(), want) {
			t.Errorf("got %q, want %q", f.faults.String(), want)
		}
	}
}

func TestStoppedAuditSaysSo(t *testing.T) {
	s := newScene(t)
	s.close()
	ctx, stop := context.WithCancel(t.Context())
	stop()
	if _, err := RunOnDisk(ctx, s.dir, nil, true); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
}

func TestFaultListNamesFirstAndCountsRest(t *testing.T) {
	var l faultList
	for range faultsShown + 2 {
		l.add("bad")
	}
	if !strings.HasSuffix(l.String(), "and 2 more") {
		t.Errorf("got %q", l.String())
	}
}

func TestBooksReadTwiceAreTheSame(t *testing.T) {
	s := newScene(t)
	s.play()
	first := s.evidence()
	again, err := ReadBooks(context.Background(), s.dir)
	if err != nil {
		t.Fatal(err)
	}
	for name, b := range first.Books {
		for id, a := range b.Balances {
			if !proto.Equal(a, again[name].Balances[id]) {
				t.Fatalf("reading changed %s of %s", id, name)
			}
		}
	}
}
