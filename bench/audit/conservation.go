package audit

import (
	"google.golang.org/protobuf/proto"

	"breakbank/platform/book"
	"breakbank/services/bank"
)

// checkConservation claims that money is neither made nor lost: in each store
// the balances, the bank's own accounts among them, add up to nothing.
func checkConservation(e Evidence) finding {
	var f finding
	for name, b := range e.Books {
		var sum int64
		for _, a := range b.Balances {
			sum += a.GetBalanceMinor()
			f.checked++
		}
		if sum != 0 {
			f.faults.add("store %s is off by %s", name, bank.Pounds(sum))
		}
	}
	return f
}

// checkReplay claims that each journal, decided again from its first entry,
// gives every entry and every account that the store has, and no other.
func checkReplay(e Evidence) finding {
	var f finding
	for name, b := range e.Books {
		f.checked += b.Length
		if b.Broken != nil {
			f.faults.add("store %s: %v", name, b.Broken)
			continue
		}
		for id, replayed := range b.Replayed.Accounts() {
			switch kept := b.Balances[id]; {
			case kept == nil:
				f.faults.add("store %s: account %s is missing, its journal makes it %v", name, id, replayed)
			case !proto.Equal(replayed, kept):
				f.faults.add("store %s: account %s is %v, its journal makes it %v", name, id, kept, replayed)
			}
		}
		for id, kept := range b.Balances {
			if b.Replayed.Accounts()[id] == nil {
				f.faults.add("store %s: account %s is %v, its journal knows no such account", name, id, kept)
			}
		}
	}
	return f
}

// checkOpening claims that each store began with the customers it was seeded
// with.
func checkOpening(e Evidence) finding {
	var f finding
	for name, b := range e.Books {
		for _, op := range bank.SeedOperations(name) {
			f.checked++
			if entry := b.Entries[op.GetKey()]; entry == nil || !proto.Equal(entry.GetOperation(), op) {
				f.faults.add("store %s: %s was not opened as seeded", name, op.GetDebitAccount())
			}
		}
		if n := b.opened(); n != int64(len(bank.SeedOperations(name))) {
			f.faults.add("store %s opened %d accounts, seeded were %d", name, n, len(bank.SeedOperations(name)))
		}
	}
	return f
}

// checkLimits claims that no account ends below its limit but by what stand-in
// is on record for having overspent.
func checkLimits(e Evidence) finding {
	var f finding
	for name, b := range e.Books {
		overspent := map[string]int64{}
		for _, entry := range b.Entries {
			overspent[entry.GetOperation().GetDebitAccount()] += entry.GetOverspendMinor()
		}
		for id, a := range b.Balances {
			if book.IsBank(id) {
				continue
			}
			f.checked++
			below := a.GetLimitMinor() - (a.GetBalanceMinor() - a.GetHeldMinor())
			if below > overspent[id] {
				f.faults.add("store %s: %s is %s below its limit, of which %s is stand-in's", name, id,
					bank.Pounds(below), bank.Pounds(overspent[id]))
			}
		}
	}
	return f
}
