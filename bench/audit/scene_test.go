package audit

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"testing"

	"github.com/cockroachdb/pebble/v2"
	"google.golang.org/protobuf/proto"

	"breakbank/loadgen"
	"breakbank/loadgen/customers"
	"breakbank/platform/book"
	bookv1 "breakbank/proto/book/v1"
	"breakbank/services/bank"
)

// Customers of the scenes below, with money enough for what they do.
const (
	alice = 1
	bob   = 2
)

// scene is a small run: real stores on disk, and what the clients recorded.
type scene struct {
	t       *testing.T
	dir     string
	stores  map[string]*book.Pebble
	records []loadgen.Record
}

// seeded is where TestMain leaves the three stores as they open. Each scene
// starts from a copy: seeding takes longer than everything else in it.
var seeded string

func TestMain(m *testing.M) { os.Exit(runSeeded(m)) }

func runSeeded(m *testing.M) int {
	dir, err := os.MkdirTemp("", "audit-")
	if err != nil {
		panic(err)
	}
	defer func() { _ = os.RemoveAll(dir) }()
	for _, name := range bank.Stores {
		store, err := book.OpenPebble(filepath.Join(dir, name), book.Options{Durability: "memory"})
		if err != nil {
			panic(err)
		}
		if err := errors.Join(store.Seed(context.Background(), bank.SeedOperations(name)), store.Close()); err != nil {
			panic(err)
		}
	}
	seeded = dir
	return m.Run()
}

// newScene opens three seeded stores.
func newScene(t *testing.T) *scene {
	t.Helper()
	s := &scene{t: t, dir: filepath.Join(t.TempDir(), "book"), stores: map[string]*book.Pebble{}}
	if err := os.CopyFS(s.dir, os.DirFS(seeded)); err != nil {
		t.Fatal(err)
	}
	for _, name := range bank.Stores {
		store, err := book.OpenPebble(filepath.Join(s.dir, name), book.Options{Durability: "memory"})
		if err != nil {
			t.Fatal(err)
		}
		s.stores[name] = store
	}
	return s
}

// apply performs an operation that must be possible, refused or not.
func (s *scene) apply(store string, op *bookv1.Operation) {
	s.t.Helper()
	if _, err := s.stores[store].Apply(context.Background(), op); err != nil {
		s.t.Fatal(err)
	}
}

func hold(account, key string, minor int64) *bookv1.Operation {
	return &bookv1.Operation{
		Key: key, Kind: bookv1.OperationKind_OPERATION_KIND_HOLD, DebitAccount: account, AmountMinor: minor, HoldKey: key,
	}
}

func advice(account, key, decision string, minor int64) *bookv1.Operation {
	return &bookv1.Operation{
		Key: bank.AdviceKey(key), Kind: bookv1.OperationKind_OPERATION_KIND_ADVICE, DebitAccount: account,
		AmountMinor: minor, HoldKey: bank.AdviceKey(key), Decision: decision,
	}
}

func post(from, to, key string, minor int64) *bookv1.Operation {
	return &bookv1.Operation{
		Key: key, Kind: bookv1.OperationKind_OPERATION_KIND_POST, DebitAccount: from, CreditAccount: to, AmountMinor: minor,
	}
}

func (s *scene) recorded(journey loadgen.Journey, customer int, key string, minor int64, d loadgen.Decision) {
	s.records = append(s.records, loadgen.Record{
		Load: loadgen.LoadMain, Seq: len(s.records), Journey: journey, Name: customers.Journeys[journey].Name, Customer: customer, Key: key, AmountMinor: minor, Decision: d,
	})
}

// retried records that the last journey was tried again.
func (s *scene) retried(key string, d loadgen.Decision) {
	again := s.records[len(s.records)-1]
	again.Retry++
	again.Key, again.Decision = key, d
	s.records = append(s.records, again)
}

// play does a bit of everything, rightly.
func (s *scene) play() {
	// An approved tap.
	s.apply(bank.StoreCards, hold(bank.LimitAccount(alice), "tap", 700))
	s.apply(bank.StoreLedger, hold(bank.CurrentAccount(alice), "tap", 700))
	s.recorded(customers.CardTap, alice, "tap", 700, loadgen.Decision{Outcome: loadgen.OK, Code: bank.Approved})
	// A tap that stand-in approved.
	s.apply(bank.StoreCards, advice(bank.LimitAccount(bob), "stood-in", bank.Approved, 900))
	s.apply(bank.StoreLedger, advice(bank.CurrentAccount(bob), "stood-in", bank.Approved, 900))
	s.recorded(customers.CardTap, bob, "stood-in", 900, loadgen.Decision{Outcome: loadgen.Degraded, Code: bank.Approved, Standin: true})
	// A tap declined for want of money.
	s.apply(bank.StoreLedger, hold(bank.CurrentAccount(bob), "poor", 90_000_000))
	s.recorded(customers.CardTap, bob, "poor", 90_000_000, loadgen.Decision{Outcome: loadgen.Declined, Code: bank.InsufficientFunds})
	// Transfers both ways, a prepaid tap, one unknown that happened and one
	// that did not, one failure.
	s.apply(bank.StoreLedger, post(bank.CurrentAccount(alice), bank.AccountFPS, "out", 300))
	s.recorded(customers.TransferOut, alice, "out", 300, loadgen.Decision{Outcome: loadgen.OK, Code: "OK"})
	s.apply(bank.StoreLedger, post(bank.AccountFPS, bank.CurrentAccount(bob), "in", 400))
	s.recorded(customers.TransferIn, bob, "in", 400, loadgen.Decision{Outcome: loadgen.Degraded, Code: "OK", Queued: true})
	s.apply(bank.StorePrepaid, hold(bank.PrepaidAccount(alice), "prepaid", 250))
	s.recorded(customers.PrepaidTap, alice, "prepaid", 250, loadgen.Decision{Outcome: loadgen.OK, Code: bank.Approved})
	s.apply(bank.StoreLedger, post(bank.CurrentAccount(alice), bank.AccountFPS, "lost-reply", 100))
	s.recorded(customers.TransferOut, alice, "lost-reply", 100, loadgen.Decision{Outcome: loadgen.Unknown, Code: "DEADLINE_EXCEEDED"})
	s.recorded(customers.TransferOut, alice, "lost-request", 100, loadgen.Decision{Outcome: loadgen.Unknown, Code: "DEADLINE_EXCEEDED"})
	s.recorded(customers.CardTap, alice, "dead", 100, loadgen.Decision{Outcome: loadgen.Failed, Code: bank.IssuerInoperative})
	s.recorded(customers.AppRefresh, alice, "", 0, loadgen.Decision{Outcome: loadgen.Failed, Code: "UNAVAILABLE"})
	s.retried("", loadgen.Decision{Outcome: loadgen.OK, Code: "OK"})
	// A transfer that a phone tried three times under one key, and that took
	// place at the first, and one that was never answered.
	s.apply(bank.StoreLedger, post(bank.CurrentAccount(bob), bank.AccountFPS, "resent", 110))
	s.recorded(customers.PaySession, bob, "resent", 110, lost)
	s.retried("resent", loadgen.Decision{Outcome: loadgen.Failed, Code: "UNAVAILABLE"})
	s.retried("resent", loadgen.Decision{Outcome: loadgen.OK, Code: "OK"})
	s.apply(bank.StoreLedger, post(bank.CurrentAccount(bob), bank.AccountFPS, "resent in vain", 120))
	s.recorded(customers.TransferOut, bob, "resent in vain", 120, loadgen.Decision{Outcome: loadgen.Failed, Code: "UNAVAILABLE"})
	s.retried("resent in vain", lost)
	s.retried("resent in vain", loadgen.Decision{Outcome: loadgen.Failed, Code: "UNAVAILABLE"})
	// A card that was held to the terminal again, which is another payment; the
	// first had taken place too.
	for _, key := range []string{"tapped", "tapped-1"} {
		s.apply(bank.StorePrepaid, hold(bank.PrepaidAccount(bob), key, 130))
	}
	s.recorded(customers.PrepaidTap, bob, "tapped", 130, lost)
	s.retried("tapped-1", loadgen.Decision{Outcome: loadgen.OK, Code: bank.Approved})
}

// lost is no answer.
var lost = loadgen.Decision{Outcome: loadgen.Unknown, Code: "DEADLINE_EXCEEDED"}

// evidence closes the stores and reads them from disk, as after a run.
func (s *scene) evidence() Evidence {
	s.t.Helper()
	s.close()
	return s.read()
}

func (s *scene) close() {
	s.t.Helper()
	for _, store := range s.stores {
		if err := store.Close(); err != nil {
			s.t.Fatal(err)
		}
	}
}

// hide writes an account into a closed store past its journal, under a key like
// those of the others.
func (s *scene) hide(store string, hidden *bookv1.Account) {
	s.t.Helper()
	value, err := proto.Marshal(hidden)
	if err != nil {
		s.t.Fatal(err)
	}
	db, err := pebble.Open(filepath.Join(s.dir, store), &pebble.Options{FormatMajorVersion: pebble.FormatNewest})
	if err != nil {
		s.t.Fatal(err)
	}
	err = db.Set([]byte("a"+hidden.GetId()), value, pebble.Sync)
	if err := errors.Join(err, db.Close()); err != nil {
		s.t.Fatal(err)
	}
}

func (s *scene) read() Evidence {
	s.t.Helper()
	books, err := ReadBooks(context.Background(), s.dir)
	if err != nil {
		s.t.Fatal(err)
	}
	return Evidence{Books: books, Records: s.records, Drained: true}
}
