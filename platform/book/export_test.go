package book

import bookv1 "breakbank/proto/book/v1"

// VerifyWithin is Verify with another patience, for tests from outside.
var VerifyWithin = verify

// EntryFaults says what is wrong with what an entry made of accounts, the same
// ones in the same order.
func EntryFaults(e *bookv1.Entry, before, after []*bookv1.Account) []string {
	legs := make([]leg, len(before))
	for i := range legs {
		legs[i] = leg{id: after[i].GetId(), before: before[i], after: after[i]}
	}
	return entryFaults(e, legs)
}
