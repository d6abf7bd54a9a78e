package book_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2"
	"google.golang.org/protobuf/proto"
	"pgregory.net/rapid"

	"breakbank/platform/book"
	"breakbank/platform/book/booktest"
	bookv1 "breakbank/proto/book/v1"
)

// shortPatience is enough for stores that have nothing to explain.
const shortPatience = 20 * time.Millisecond

// tampered is a store that tells something else than it holds.
type tampered struct {
	book.Store
	// account may change what is told of an account, or make it nil.
	account func(*bookv1.Account) *bookv1.Account
	// journal may change what is told of the whole journal.
	journal func([]*bookv1.Entry) []*bookv1.Entry
}

func (s tampered) Account(ctx context.Context, id string) (*bookv1.Account, error) {
	a, err := s.Store.Account(ctx, id)
	if err != nil || s.account == nil {
		return a, err
	}
	if a = s.account(a); a == nil {
		return nil, book.ErrNoSuchAccount
	}
	return a, nil
}

func (s tampered) Entries(ctx context.Context, from int64, limit int) ([]*bookv1.Entry, error) {
	if s.journal == nil {
		return s.Store.Entries(ctx, from, limit)
	}
	all, err := booktest.Journal(ctx, s.Store)
	if err != nil {
		return nil, err
	}
	told := slices.DeleteFunc(s.journal(all), func(e *bookv1.Entry) bool { return e.GetSequence() < from })
	return told[:min(limit, len(told))], nil
}

// more has an account tell that it has more, or less, than it has.
func more(id string, balance, held int64) func(*bookv1.Account) *bookv1.Account {
	return func(a *bookv1.Account) *bookv1.Account {
		if a.GetId() == id {
			a.BalanceMinor += balance
			a.HeldMinor += held
		}
		return a
	}
}

// shifted gives entries the sequences from 1 on that they would have.
func shifted(entries []*bookv1.Entry) []*bookv1.Entry {
	for i := range entries {
		entries[i] = proto.CloneOf(entries[i])
		entries[i].Sequence = int64(i) + 1
	}
	return entries
}

// changed changes one entry of what is told.
func changed(sequence int64, change func(*bookv1.Entry)) func([]*bookv1.Entry) []*bookv1.Entry {
	return func(all []*bookv1.Entry) []*bookv1.Entry {
		change(all[sequence-1])
		return all
	}
}

// aDay is a history with all that the book can do: ten entries, three accounts
// and two of the bank.
func aDay() []*bookv1.Operation {
	low := booktest.Op("open c", booktest.OpenAcc, "c", "", 10, "")
	low.LimitMinor = 50 // opened below its limit
	return []*bookv1.Operation{
		booktest.Op("open a", booktest.OpenAcc, "a", "", 100, ""),
		booktest.Op("open b", booktest.OpenAcc, "b", "", 100, ""),
		low,
		booktest.Op("pay", booktest.Post, "a", "b", 40, ""),
		booktest.Op("hold", booktest.Place, "a", "", 60, ""),
		booktest.Op("capture", booktest.Capture, "", "bank:scheme", 0, "hold"),
		booktest.Op("too much", booktest.Post, "a", "b", 1, ""), // refused
		booktest.Decided("stand-in", "b", 190, "", book.Approved),
		booktest.Op("give back", booktest.Release, "b", "", 0, "stand-in"),
		booktest.Decided("again", "b", 150, "", book.Approved),
	}
}

func playADay(t *testing.T, store book.Store) {
	t.Helper()
	for _, op := range aDay() {
		if _, err := store.Apply(t.Context(), op); err != nil {
			t.Fatal(err)
		}
	}
}

func mustBalance(t *testing.T, v book.Verification, err error, entries, accounts int64) {
	t.Helper()
	if err != nil || !v.Balances() || v.Entries != entries || v.Accounts != accounts {
		t.Errorf("%+v, %v; want %d entries and %d accounts that balance", v, err, entries, accounts)
	}
}

func mustSay(t *testing.T, v book.Verification, err error, says string) {
	t.Helper()
	if err != nil || v.Balances() || !strings.Contains(strings.Join(v.Faults, "\n"), says) {
		t.Errorf("%+v, %v; want a fault that says %q", v, err, says)
	}
}

func TestVerify(t *testing.T) {
	store := openPebble(t, t.TempDir(), book.Options{Durability: book.Memory})
	v, err := book.Verify(t.Context(), store)
	mustBalance(t, v, err, 0, 0)
	playADay(t, store)
	v, err = book.Verify(t.Context(), store)
	mustBalance(t, v, err, 10, 5)
	v, err = book.Verify(t.Context(), dialBook(t, serveBook(t, map[string]book.Store{"ledger": store}), "ledger"))
	mustBalance(t, v, err, 10, 5)
	if v.Moving != 0 {
		t.Errorf("%d accounts moved", v.Moving)
	}
}

// TestVerifyFindsDefects plants them one by one.
func TestVerifyFindsDefects(t *testing.T) {
	store := openPebble(t, t.TempDir(), book.Options{Durability: book.Memory})
	playADay(t, store)
	for name, test := range map[string]struct {
		account func(*bookv1.Account) *bookv1.Account
		journal func([]*bookv1.Entry) []*bookv1.Entry
		says    string
	}{
		"a lost credit":             {more("b", -40, 0), nil, `account "b" is balance 100, held 150, limit 0, active; its journal makes it balance 140, held 150`},
		"a lost debit":              {more("a", 40, 0), nil, `account "a" is balance 40`},
		"a lost credit of the bank": {more("bank:scheme", -60, 0), nil, `"bank:scheme" is balance 0`},
		"money from nowhere":        {more("bank:opening", 1, 0), nil, `"bank:opening"`},
		"a hold that stayed":        {more("a", 0, 60), nil, "held 60"},
		"another limit":             {func(a *bookv1.Account) *bookv1.Account { a.LimitMinor--; return a }, nil, "limit -1"},
		"another state":             {func(a *bookv1.Account) *bookv1.Account { a.State = book.StateFrozen; return a }, nil, "frozen"},
		"a lost account": {func(a *bookv1.Account) *bookv1.Account {
			if a.GetId() == "c" {
				return nil
			}
			return a
		}, nil, `account "c" is not there`},

		"a doubled entry": {nil, func(all []*bookv1.Entry) []*bookv1.Entry {
			return shifted(slices.Insert(all, 4, proto.CloneOf(all[3])))
		}, `entry 5 repeats the key of entry 4, "pay"`},
		"an entry told twice and no more": {nil, func(all []*bookv1.Entry) []*bookv1.Entry { return slices.Insert(all, 4, all[3]) }, "entry 4 comes after entry 4"},
		"a lost entry":                    {nil, func(all []*bookv1.Entry) []*bookv1.Entry { return slices.Delete(all, 3, 4) }, "entry 5 comes after entry 3"},
		"a refusal lost and no more":      {nil, func(all []*bookv1.Entry) []*bookv1.Entry { return slices.Delete(all, 6, 7) }, "entry 8 comes after entry 6"},
		"an entry cut out":                {nil, func(all []*bookv1.Entry) []*bookv1.Entry { return shifted(slices.Delete(all, 3, 4)) }, `account "b" is`},
		"the last entry lost":             {nil, func(all []*bookv1.Entry) []*bookv1.Entry { return all[:9] }, `account "b" is balance 140, held 150`},
		"another order": {nil, func(all []*bookv1.Entry) []*bookv1.Entry {
			all[4], all[5] = all[5], all[4]
			return all
		}, "entry 6 comes after entry 4"},
		"a posting of one leg":                      {nil, changed(4, func(e *bookv1.Entry) { e.Operation.CreditAccount = "" }), "without a credit account"},
		"a capture that credits less than it takes": {nil, changed(6, func(e *bookv1.Entry) { e.Operation.AmountMinor = 59 }), "capture of 59 from a hold of 60"},
		"another amount":                            {nil, changed(4, func(e *bookv1.Entry) { e.Operation.AmountMinor = 41 }), `account "b" is`},
		"a posting beyond the limit":                {nil, changed(7, func(e *bookv1.Entry) { e.Refusal = booktest.Done }), "entry 7 says"},
		"an overspend kept quiet":                   {nil, changed(8, func(e *bookv1.Entry) { e.OverspendMinor = 0 }), "entry 8 says"},
		"a right decision called wrong":             {nil, changed(8, func(e *bookv1.Entry) { e.WrongDecision = false }), "entry 8 says"},
	} {
		t.Run(name, func(t *testing.T) {
			v, err := book.VerifyWithin(t.Context(), tampered{store, test.account, test.journal}, shortPatience)
			mustSay(t, v, err, test.says)
			if once := strings.HasSuffix(name, " and no more"); once && v.FaultCount != 1 {
				t.Errorf("%d faults for one defect without consequences: %q", v.FaultCount, v.Faults)
			}
		})
	}
}

// TestVerifyFindsADefectOnDisk is a credit that is lost below the store.
func TestVerifyFindsADefectOnDisk(t *testing.T) {
	dir := t.TempDir()
	store := openPebble(t, dir, book.Options{})
	playADay(t, store)
	if err := store.Close(); err != nil {
		t.Fatal(err)
	}
	db, err := pebble.Open(dir, &pebble.Options{FormatMajorVersion: pebble.FormatNewest})
	if err != nil {
		t.Fatal(err)
	}
	lost, err := proto.Marshal(&bookv1.Account{Id: "b", BalanceMinor: 100, HeldMinor: 150, State: book.StateActive})
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(db.Set([]byte("ab"), lost, pebble.Sync), db.Close()); err != nil {
		t.Fatal(err)
	}
	again := openPebble(t, dir, book.Options{})
	remote := dialBook(t, serveBook(t, map[string]book.Store{"ledger": again}), "ledger")
	v, err := book.VerifyWithin(t.Context(), remote, shortPatience)
	mustSay(t, v, err, `account "b" is balance 100, held 150, limit 0, active; its journal makes it balance 140`)
	if v.FaultCount != 1 || v.Accounts != 5 {
		t.Errorf("%+v, want one fault in 5 accounts", v)
	}
}

// TestVerifyAnyHistory draws histories, which balance, and plants a defect in
// each, which is found.
func TestVerifyAnyHistory(t *testing.T) {
	rapid.Check(t, func(r *rapid.T) {
		store, err := book.OpenPebble(t.TempDir(), book.Options{Durability: book.Memory})
		if err != nil {
			r.Fatal(err)
		}
		defer func() { _ = store.Close() }()
		for _, op := range drawHistory(r) {
			_, _ = store.Apply(t.Context(), op) // Some make no sense.
		}
		v, err := book.VerifyWithin(t.Context(), store, shortPatience)
		if err != nil || !v.Balances() || v.Entries != store.Tail() {
			r.Fatalf("%+v, %v, want %d entries that balance", v, err, store.Tail())
		}

		account := rapid.SampledFrom([]string{"a", "b", "bank:opening"}).Draw(r, "account")
		by := rapid.Int64Range(1, 200).Draw(r, "by") * rapid.SampledFrom([]int64{-1, 1}).Draw(r, "sign")
		// Nobody can know of a last entry that had no effect: it is never cut.
		cut := rapid.IntRange(0, int(store.Tail())-2).Draw(r, "cut")
		for name, bad := range map[string]tampered{
			"a balance": {Store: store, account: more(account, by, 0)},
			"a hold":    {Store: store, account: more(account, 0, by)},
			"a gap":     {Store: store, journal: func(all []*bookv1.Entry) []*bookv1.Entry { return slices.Delete(all, cut, cut+1) }},
			"a repeat":  {Store: store, journal: func(all []*bookv1.Entry) []*bookv1.Entry { return shifted(slices.Insert(all, cut, all[cut])) }},
		} {
			v, err := book.VerifyWithin(t.Context(), bad, 0)
			if err != nil || v.Balances() {
				r.Fatalf("%s: %+v, %v", name, v, err)
			}
		}
	})
}

// TestVerifyHoldsTheCoreToItsWord: what the core would never do, and nobody
// would see who decides by the core again.
func TestVerifyHoldsTheCoreToItsWord(t *testing.T) {
	account := func(id string, balance, held, limit int64) *bookv1.Account {
		return &bookv1.Account{Id: id, BalanceMinor: balance, HeldMinor: held, LimitMinor: limit}
	}
	type accounts = []*bookv1.Account
	entry := func(kind bookv1.OperationKind, overspend int64) *bookv1.Entry {
		return &bookv1.Entry{Sequence: 7, Operation: &bookv1.Operation{Kind: kind}, OverspendMinor: overspend}
	}
	for name, test := range map[string]struct {
		entry         *bookv1.Entry
		before, after accounts
		says          string // "" for no fault
	}{
		"a posting":               {entry(booktest.Post, 0), accounts{account("a", 5, 0, 0), account("b", 0, 0, 0)}, accounts{account("a", 0, 0, 0), account("b", 5, 0, 0)}, ""},
		"a credit less":           {entry(booktest.Post, 0), accounts{account("a", 5, 0, 0), account("b", 0, 0, 0)}, accounts{account("a", 0, 0, 0), account("b", 4, 0, 0)}, "not balanced: its accounts have -1 more"},
		"a debit less":            {entry(booktest.Post, 0), accounts{account("a", 5, 0, 0), account("b", 0, 0, 0)}, accounts{account("a", 5, 0, 0), account("b", 5, 0, 0)}, "have 5 more"},
		"below the limit":         {entry(booktest.Place, 0), accounts{account("a", 5, 0, -10)}, accounts{account("a", 5, 16, -10)}, `"a" 1 further below its limit`},
		"further below":           {entry(booktest.Place, 0), accounts{account("a", 5, 6, 0)}, accounts{account("a", 5, 8, 0)}, `"a" 2 further below`},
		"below, and staying so":   {entry(booktest.SetState, 0), accounts{account("a", -5, 0, 0)}, accounts{account("a", -5, 0, 0)}, ""},
		"below, and rising":       {entry(booktest.Post, 0), accounts{account("bank:x", 0, 0, 0), account("a", -5, 0, 0)}, accounts{account("bank:x", -3, 0, 0), account("a", -2, 0, 0)}, ""},
		"an overspend declared":   {entry(booktest.Advice, 3), accounts{account("a", 5, 0, 0)}, accounts{account("a", 5, 8, 0)}, ""},
		"more than was declared":  {entry(booktest.Advice, 2), accounts{account("a", 5, 0, 0)}, accounts{account("a", 5, 8, 0)}, "3 further below its limit, which it may by 2"},
		"a posting that declares": {entry(booktest.Place, 3), accounts{account("a", 5, 0, 0)}, accounts{account("a", 5, 8, 0)}, "which it may by 0"},
		"opened below its limit":  {entry(booktest.OpenAcc, 0), accounts{nil, nil}, accounts{account("bank:opening", -5, 0, 0), account("a", 5, 0, 9)}, ""},
		"opened with other money": {entry(booktest.OpenAcc, 0), accounts{nil, nil}, accounts{account("bank:opening", -5, 0, 0), account("a", 6, 0, 0)}, "not balanced"},
		"less than nothing held":  {entry(booktest.Release, 0), accounts{account("a", 5, 2, 0)}, accounts{account("a", 5, -1, 0)}, "holds -1"},
	} {
		got := strings.Join(book.EntryFaults(test.entry, test.before, test.after), "\n")
		if (got == "") != (test.says == "") || !strings.Contains(got, test.says) {
			t.Errorf("%s: %q, want %q", name, got, test.says)
		}
	}
}

// TestVerifySaysNotTooMuch: every account is wrong.
func TestVerifySaysNotTooMuch(t *testing.T) {
	store := openPebble(t, t.TempDir(), book.Options{Durability: book.Memory})
	var seed []*bookv1.Operation
	for i := range 700 { // more than are read at once
		seed = append(seed, booktest.Op(fmt.Sprint("o", i), booktest.OpenAcc, fmt.Sprint("a", i), "", 1, ""))
	}
	if err := store.Seed(t.Context(), seed); err != nil {
		t.Fatal(err)
	}
	v, err := book.VerifyWithin(t.Context(), tampered{Store: store, account: func(a *bookv1.Account) *bookv1.Account {
		a.BalanceMinor++
		return a
	}}, shortPatience)
	if err != nil || v.FaultCount != 701 || len(v.Faults) != 8 || v.Accounts != 701 {
		t.Errorf("%d faults, %q, %v; want 701, the first 8 in words", v.FaultCount, v.Faults, err)
	}
}

// TestVerifyWhileMoneyMoves reads a store through, again and again, while
// callers post to accounts of which some are never still. What is booked and not
// synced yet is another test's.
func TestVerifyWhileMoneyMoves(t *testing.T) {
	store := openPebble(t, t.TempDir(), book.Options{Durability: book.Memory})
	var seed []*bookv1.Operation
	for i := range 50 {
		seed = append(seed, booktest.Op(fmt.Sprint("o", i), booktest.OpenAcc, fmt.Sprint("a", i), "", 1_000_000, ""))
	}
	seed = append(seed, booktest.Op("o", booktest.OpenAcc, "still", "", 10, ""))
	if err := store.Seed(t.Context(), seed); err != nil {
		t.Fatal(err)
	}
	remote := dialBook(t, serveBook(t, map[string]book.Store{"ledger": store}), "ledger")
	stop := make(chan struct{})
	var callers sync.WaitGroup
	for c := range 8 {
		callers.Go(func() {
			for i := 0; ; i++ {
				select {
				case <-stop:
					return
				default:
				}
				key, account := fmt.Sprint(c, "-", i), fmt.Sprint("a", (c+i)%50)
				ops := []*bookv1.Operation{
					booktest.Op(key, booktest.Place, account, "", 7, ""),
					booktest.Op(key+" capture", booktest.Capture, "", "bank:scheme", 0, key),
					booktest.Decided(key+" advice", account, 1+int64(i%9), "", book.Approved),
					booktest.Op(key+" release", booktest.Release, account, "", 0, key+" advice"),
				}
				for _, op := range ops {
					if _, err := store.Apply(context.Background(), op); err != nil {
						t.Error(err)
						return
					}
				}
			}
		})
	}
	var before int64
	for i := range 6 {
		v, err := book.Verify(t.Context(), []book.Store{store, remote}[i%2])
		if err != nil || !v.Balances() || v.Accounts < 52 || v.Entries < before {
			t.Errorf("%+v, %v", v, err)
		}
		before = v.Entries
	}
	for account, says := range map[string]string{"still": `"still" is balance 9,`, "a7": `"a7" is`, "bank:scheme": `"bank:scheme" is`} {
		v, err := book.VerifyWithin(t.Context(), tampered{Store: store, account: more(account, -1, 0)}, shortPatience)
		mustSay(t, v, err, says)
	}
	close(stop)
	callers.Wait()
	v, err := book.Verify(t.Context(), remote)
	mustBalance(t, v, err, store.Tail(), 53)
	if v.Moving != 0 {
		t.Errorf("%d accounts moved while nobody moved them", v.Moving)
	}
}

// late is a store whose journal tells of its last entry only when it has been
// asked some more times, as while that is being synced.
type late struct {
	book.Store
	asks, until int64
}

func (s *late) Entries(ctx context.Context, from int64, limit int) ([]*bookv1.Entry, error) {
	entries, err := s.Store.Entries(ctx, from, limit)
	if s.asks++; s.asks < s.until && len(entries) > 0 {
		entries = entries[:len(entries)-1]
	}
	return entries, err
}

func TestVerifyWaitsForTheJournal(t *testing.T) {
	store := openPebble(t, t.TempDir(), book.Options{Durability: book.Memory})
	playADay(t, store)
	v, err := book.Verify(t.Context(), &late{Store: store, until: 20})
	mustBalance(t, v, err, 10, 5)
	v, err = book.VerifyWithin(t.Context(), &late{Store: store, until: 1 << 40}, shortPatience)
	mustSay(t, v, err, `account "b"`)
}

// restless is a store in which an account moves after it was read, so many
// times.
type restless struct {
	book.Store
	id           string
	moves, limit int
}

func (s *restless) Account(ctx context.Context, id string) (*bookv1.Account, error) {
	a, err := s.Store.Account(ctx, id)
	if err != nil || id != s.id || s.moves == s.limit {
		return a, err
	}
	s.moves++ // An account is read by one at a time.
	_, err = s.Apply(ctx, booktest.Op(fmt.Sprint("move ", s.moves), booktest.Post, "bank:fps", id, 3, ""))
	return a, err
}

func TestVerifyAnAccountThatIsNeverStill(t *testing.T) {
	for _, test := range []struct {
		limit         int
		moves, moving int64
	}{{1, 1, 0}, {2, 2, 0}, {1000, 4, 1}} { // one reading of all, three of its own
		store := openPebble(t, t.TempDir(), book.Options{Durability: book.Memory})
		playADay(t, store)
		v, err := book.Verify(t.Context(), &restless{Store: store, id: "b", limit: test.limit})
		if mustBalance(t, v, err, 10+test.moves, 5); v.Moving != test.moving {
			t.Errorf("after up to %d moves %d accounts were never still, want %d", test.limit, v.Moving, test.moving)
		}
	}
	store := openPebble(t, t.TempDir(), book.Options{Durability: book.Memory})
	playADay(t, store)
	moving := &restless{Store: store, id: "b", limit: 1000}
	v, err := book.VerifyWithin(t.Context(), tampered{Store: moving, account: more("b", 1, 0)}, shortPatience)
	mustSay(t, v, err, `account "b"`)
}

// stuck is a store that gives its first entry whatever is asked for.
type stuck struct{ book.Store }

func (s stuck) Entries(ctx context.Context, _ int64, _ int) ([]*bookv1.Entry, error) {
	return s.Store.Entries(ctx, 1, 1)
}

func TestVerifyProvesNothingOfWhatItCannotRead(t *testing.T) {
	store := openPebble(t, t.TempDir(), book.Options{Durability: book.Memory})
	playADay(t, store)
	if _, err := book.Verify(t.Context(), stuck{store}); !errors.Is(err, book.ErrJournal) {
		t.Errorf("%v, want ErrJournal", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := book.Verify(ctx, store); !errors.Is(err, context.Canceled) {
		t.Errorf("%v, want Canceled", err)
	}
	if err := store.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := book.Verify(t.Context(), store); !errors.Is(err, book.ErrClosed) {
		t.Errorf("%v, want ErrClosed", err)
	}
}

// BenchmarkVerify reads a store of 10,000 accounts through, over the network.
func BenchmarkVerify(b *testing.B) {
	store, err := book.OpenPebble(b.TempDir(), book.Options{Durability: book.Memory})
	if err != nil {
		b.Fatal(err)
	}
	defer func() { _ = store.Close() }()
	var seed []*bookv1.Operation
	for i := range 10_000 {
		seed = append(seed, booktest.Op(fmt.Sprint("open ", i), booktest.OpenAcc, fmt.Sprint("account ", i), "", 1_000, ""))
	}
	for i := range 20_000 {
		key, account := fmt.Sprint("authorisation ", i), fmt.Sprint("account ", i%10_000)
		seed = append(seed, booktest.Op(key, booktest.Place, account, "", 7, ""), booktest.Op(key+" capture", booktest.Capture, "", "bank:scheme", 0, key))
	}
	if err := store.Seed(b.Context(), seed); err != nil {
		b.Fatal(err)
	}
	remote := dialBook(b, serveBook(b, map[string]book.Store{"ledger": store}), "ledger")
	for b.Loop() {
		if v, err := book.Verify(b.Context(), remote); err != nil || !v.Balances() {
			b.Fatalf("%+v, %v", v, err)
		}
	}
}
