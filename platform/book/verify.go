package book

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"golang.org/x/sync/errgroup"
	"google.golang.org/protobuf/proto"

	bookv1 "breakbank/proto/book/v1"
)

// Bounds of a verification.
const (
	// verifyEntriesMax bounds the journal that is verified, and so the memory:
	// a journal of that length takes up to about 0.5 GB.
	verifyEntriesMax = 5_000_000
	// verifyFaultsMax is how many faults are put into words.
	verifyFaultsMax = 8
	// verifyReaders is how many accounts are read at once, verifyBatch how many
	// between two looks at the journal.
	verifyReaders = 8
	verifyBatch   = 512
	// verifyShortPages is after how many pages with room left in them a journal
	// counts as read to its end, though others go on writing.
	verifyShortPages = 64
	// verifyPatience is how long the journal is waited for that says how an
	// account came to be what it is: an account shows an operation while that
	// is still being synced, the journal only once it is durable.
	verifyPatience = 2 * time.Second
	verifyPause    = 10 * time.Millisecond
	// verifyStrikes is how often an account must contradict the journal to be a
	// fault, verifyAgreements how often one that is never still must agree.
	verifyStrikes    = 2
	verifyAgreements = 3
)

// Verification is what reading a store through has shown.
type Verification struct {
	// Entries of the journal that were replayed or found at fault, and the
	// accounts that they name. Each of these was compared.
	Entries, Accounts int64
	// Moving are the accounts among them that were never caught still: each of
	// them was at several readings what the journal made it at about that time.
	// An error as large as what was just then on its way would not be seen.
	Moving int64
	// Faults are what does not hold, in words, the first few of FaultCount. An
	// entry at fault is left out of what follows, so that later ones may be its
	// consequences.
	Faults     []string
	FaultCount int64
}

// Balances says whether the books balance.
func (v Verification) Balances() bool { return v.FaultCount == 0 }

// Verify reads a store through while it serves, and says whether its books
// balance:
//
//   - the journal has no gap, no key twice, and each entry is what the entries
//     before it lead to (see [Replay]);
//   - each entry takes from its accounts together nothing and gives them
//     nothing, and all accounts add up to zero;
//   - no entry takes an account below its limit, or further below it, but an
//     advice by the overspend that it declares, and no account holds less than
//     nothing (an account may be opened below its limit);
//   - every account that the journal names is what the journal makes it.
//
// Accounts are compared with the journal as it is at the time: an account that
// was read must be what it is at the position of the journal at or after
// which it was read, up to where the journal ends afterwards. If no entry
// touched it in between, that is exact.
//
// What Verify cannot see is an account that the journal never names. It keeps
// accounts, holds and a digest of each key in memory: 50 to 100 bytes an entry.
// The error is that of a store that cannot be read: nothing is proved then.
func Verify(ctx context.Context, store Store) (Verification, error) {
	return verify(ctx, store, verifyPatience)
}

func verify(ctx context.Context, store Store, patience time.Duration) (Verification, error) {
	v := &verifier{store: store, patience: patience, replay: NewReplay(), keys: map[keyDigest]int64{}, next: 1}
	if err := v.catchUp(ctx); err != nil {
		return v.found, err
	}
	v.addUp()
	v.found.Accounts = int64(len(v.replay.accounts))
	err := v.compare(ctx)
	return v.found, err
}

// keyDigest stands for an idempotency key: 16 bytes of its SHA-256.
type keyDigest [16]byte

func digestOf(key string) keyDigest {
	sum := sha256.Sum256([]byte(key))
	return keyDigest(sum[:16])
}

// verifier is one verification.
type verifier struct {
	store    Store
	patience time.Duration
	// replay is without its keys, which are kept in keys, smaller: with the
	// sequence of the entry that used them.
	replay *Replay
	keys   map[keyDigest]int64
	// next is where to read on.
	next  int64
	found Verification
	// readings are accounts that were read and are being compared.
	readings map[string]*reading
}

// reading is an account as the store told it.
type reading struct {
	told *bookv1.Account // nil if the store knows none
	// agrees is true once the journal makes it what was told; moved is true once
	// an entry touched it.
	agrees, moved bool
}

func (v *verifier) fault(format string, args ...any) {
	if v.found.FaultCount++; len(v.found.Faults) < verifyFaultsMax {
		v.found.Faults = append(v.found.Faults, fmt.Sprintf(format, args...))
	}
}

// catchUp reads the journal from where it was left to its end.
func (v *verifier) catchUp(ctx context.Context) error {
	for short := 0; short < verifyShortPages; {
		from := v.next
		entries, err := v.store.Entries(ctx, from, MaxEntries)
		switch {
		case err != nil:
			return err
		case len(entries) == 0:
			return nil
		case len(entries) < MaxEntries:
			short++
		}
		for _, e := range entries {
			v.take(e)
		}
		if v.next == from {
			return fmt.Errorf("%w: asked for entries from %d, the store gives entry %d", ErrJournal, from, entries[0].GetSequence())
		}
		if v.found.Entries > verifyEntriesMax {
			return fmt.Errorf("the journal has more than %d entries: too many to verify", verifyEntriesMax)
		}
	}
	return nil
}

// take replays an entry, or leaves it out if it is at fault.
func (v *verifier) take(e *bookv1.Entry) {
	v.found.Entries++
	sequence := e.GetSequence()
	if after := v.replay.last; sequence != after+1 {
		v.fault("entry %d comes after entry %d", sequence, after)
		if sequence <= after {
			return
		}
		v.replay.last = sequence - 1
	}
	v.next = sequence + 1
	key := e.GetOperation().GetKey()
	digest := digestOf(key)
	if first, used := v.keys[digest]; used {
		v.fault("entry %d repeats the key of entry %d, %q", sequence, first, key)
		v.replay.last = sequence
		return
	}
	v.keys[digest] = sequence
	legs := v.legs(e)
	if err := v.replay.Add(e); err != nil {
		v.fault("%v", err)
		v.replay.last = sequence
		return
	}
	delete(v.replay.keys, key)
	for i := range legs {
		legs[i].after = v.replay.accounts[legs[i].id]
		v.follow(legs[i])
	}
	for _, fault := range entryFaults(e, legs) {
		v.fault("%s", fault)
	}
}

// leg is an account that an entry may change: before and after it, nil where
// there was none.
type leg struct {
	id            string
	before, after *bookv1.Account
}

// legs are the accounts that the entry can have to do with, as they are now.
func (v *verifier) legs(e *bookv1.Entry) []leg {
	op := e.GetOperation()
	hold := v.replay.holds[holdKey(op)]
	ids := [...]string{op.GetDebitAccount(), op.GetCreditAccount(), hold.Account, openingAccount}
	legs := make([]leg, 0, len(ids))
	for _, id := range ids {
		if id != "" && !slices.ContainsFunc(legs, func(l leg) bool { return l.id == id }) {
			legs = append(legs, leg{id: id, before: v.replay.accounts[id]})
		}
	}
	return legs
}

// entryFaults says what an entry has done that no entry may do.
func entryFaults(e *bookv1.Entry, legs []leg) []string {
	var faults []string
	var sum int64
	for _, l := range legs {
		sum += l.after.GetBalanceMinor() - l.before.GetBalanceMinor()
		if l.after == nil {
			continue
		}
		if l.after.GetHeldMinor() < 0 {
			faults = append(faults, fmt.Sprintf("after entry %d account %q holds %d, less than nothing", e.GetSequence(), l.id, l.after.GetHeldMinor()))
		}
		var allowed, before int64
		switch e.GetOperation().GetKind() {
		case bookv1.OperationKind_OPERATION_KIND_OPEN:
			continue // An account may be opened below its limit.
		case bookv1.OperationKind_OPERATION_KIND_ADVICE:
			allowed = e.GetOverspendMinor()
		}
		if l.before != nil {
			before = shortfall(l.before)
		}
		if below := shortfall(l.after) - before; below > allowed {
			faults = append(faults, fmt.Sprintf("entry %d takes account %q %d further below its limit, which it may by %d", e.GetSequence(), l.id, below, allowed))
		}
	}
	if sum != 0 {
		faults = append(faults, fmt.Sprintf("entry %d is not balanced: its accounts have %d more together", e.GetSequence(), sum))
	}
	return faults
}

// addUp checks that money was neither made nor lost.
func (v *verifier) addUp() {
	var sum int64
	for _, a := range v.replay.accounts {
		sum += a.GetBalanceMinor()
	}
	if sum != 0 {
		v.fault("all accounts add up to %d, not to zero", sum)
	}
}

// follow tells the reading of an account, if there is one, what it was changed
// to.
func (v *verifier) follow(l leg) {
	if r := v.readings[l.id]; r != nil && l.after != l.before {
		r.moved = true
		r.agrees = r.agrees || proto.Equal(r.told, l.after)
	}
}

// standing is how an account has come out so far.
type standing struct {
	id                  string
	agreements, strikes int
}

// compare compares every account with the journal. At the first reading most
// are still, and right. The others are read again, and are given time.
func (v *verifier) compare(ctx context.Context) error {
	all := slices.Sorted(maps.Keys(v.replay.accounts))
	var open []*standing
	for ids := range slices.Chunk(all, verifyBatch) {
		if err := v.read(ctx, ids, 0); err != nil {
			return err
		}
		for _, id := range ids {
			if r := v.readings[id]; !r.agrees || r.moved {
				open = append(open, &standing{id: id})
			}
		}
	}
	// Each round is an agreement or a strike for all that stay, so it ends.
	for len(open) > 0 {
		ids := make([]string, len(open))
		for i, s := range open {
			ids[i] = s.id
		}
		if err := v.read(ctx, ids, v.patience); err != nil {
			return err
		}
		open = slices.DeleteFunc(open, v.settled)
	}
	v.readings = nil
	return nil
}

// settled takes in the latest reading of an account, and says whether that
// settles it.
func (v *verifier) settled(s *standing) bool {
	r := v.readings[s.id]
	switch {
	case r.agrees && !r.moved:
		return true
	case r.agrees:
		if s.agreements++; s.agreements < verifyAgreements {
			return false
		}
		v.found.Moving++
	default:
		if s.strikes++; s.strikes < verifyStrikes {
			return false
		}
		v.fault("account %q is %s; its journal makes it %s", s.id, inWords(r.told), inWords(v.replay.accounts[s.id]))
	}
	return true
}

func inWords(a *bookv1.Account) string {
	if a == nil {
		return "not there"
	}
	return fmt.Sprintf("balance %d, held %d, limit %d, %s", a.GetBalanceMinor(), a.GetHeldMinor(), a.GetLimitMinor(), a.GetState())
}

// read reads accounts between two looks at the journal's end, and leaves in
// readings whether they agree with it. It waits up to patience for entries
// that explain those which do not.
func (v *verifier) read(ctx context.Context, ids []string, patience time.Duration) error {
	v.readings = nil
	if err := v.catchUp(ctx); err != nil {
		return err
	}
	told, err := v.ask(ctx, ids)
	if err != nil {
		return err
	}
	v.readings = make(map[string]*reading, len(ids))
	for i, id := range ids {
		v.readings[id] = &reading{told: told[i], agrees: proto.Equal(told[i], v.replay.accounts[id])}
	}
	pause := time.NewTicker(verifyPause)
	defer pause.Stop()
	for waited := time.Duration(0); ; waited += verifyPause {
		if err := v.catchUp(ctx); err != nil {
			return err
		}
		if waited >= patience || v.allAgree() {
			return nil
		}
		select {
		case <-pause.C:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

func (v *verifier) allAgree() bool {
	for _, r := range v.readings {
		if !r.agrees {
			return false
		}
	}
	return true
}

// ask reads accounts, in the order of their ids; nil for one that is not there.
func (v *verifier) ask(ctx context.Context, ids []string) ([]*bookv1.Account, error) {
	told := make([]*bookv1.Account, len(ids))
	asking, ctx := errgroup.WithContext(ctx)
	asking.SetLimit(verifyReaders)
	for i, id := range ids {
		asking.Go(func() error {
			a, err := v.store.Account(ctx, id)
			if err != nil && !errors.Is(err, ErrNoSuchAccount) {
				return err
			}
			told[i] = a
			return nil
		})
	}
	return told, asking.Wait()
}
