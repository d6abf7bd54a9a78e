package audit

import (
	"breakbank/bench/result"
	"breakbank/loadgen"
	"breakbank/loadgen/customers"
	"breakbank/platform/book"
	bookv1 "breakbank/proto/book/v1"
	"breakbank/services/bank"
)

// checkDecisions claims that every no of a primary was the book's own: the
// refusal is in the journal, and the journal replays. A yes of a primary is a
// hold or posting that stands, which another check looks at. Stand-in decides
// from a copy that may be stale; its wrong decisions are counted in the
// figures, not refused.
func checkDecisions(e Evidence) finding {
	var f finding
	for i := range e.Records {
		r := &e.Records[i]
		if r.Outcome != loadgen.Declined {
			continue
		}
		f.checked++
		if !rightlyDeclined(e.Books, r) {
			f.faults.add("%s %s was declined (%s) and the book knows no reason", r.Name, r.Key, r.Code)
		}
	}
	return f
}

// rightlyDeclined says whether the true book gives the reason for a no.
func rightlyDeclined(books Books, r *loadgen.Record) bool {
	customer := bank.CustomerAt(r.Customer)
	refused := func(store, key string) bookv1.Refusal { return books[store].Entries[key].GetRefusal() }
	switch r.Journey {
	case customers.CardTap:
		limit := refused(bank.StoreCards, r.Key)
		switch r.Code {
		case bank.InsufficientFunds:
			return refused(bank.StoreLedger, r.Key) == bookv1.Refusal_REFUSAL_INSUFFICIENT_FUNDS
		case bank.OverLimit:
			return limit == bookv1.Refusal_REFUSAL_INSUFFICIENT_FUNDS
		case bank.DoNotHonour:
			return limit == bookv1.Refusal_REFUSAL_FROZEN
		case bank.Expired:
			return customer.CardState == bank.StateExpired
		}
		return false // 14: every customer's card exists.
	case customers.PrepaidTap:
		return refused(bank.StorePrepaid, r.Key) != bookv1.Refusal_REFUSAL_UNSPECIFIED
	default:
		return refused(bank.StoreLedger, r.Key) != bookv1.Refusal_REFUSAL_UNSPECIFIED
	}
}

// reversed counts the holds that were given back. Nobody in this bank does so
// but a processor that was told to, since the card network had no answer. A
// release that found nothing to give back, because the hold had not come yet or
// was gone, has no amount.
func (b *Book) reversed() (n int64) {
	for _, entry := range b.Entries {
		op := entry.GetOperation()
		if op.GetKind() == bookv1.OperationKind_OPERATION_KIND_RELEASE && op.GetAmountMinor() > 0 {
			n++
		}
	}
	return n
}

// figures sums what only the true book can tell.
func figures(e Evidence) result.AuditFigures {
	ledger, cards := e.Books[bank.StoreLedger], e.Books[bank.StoreCards]
	var f result.AuditFigures
	for _, entry := range advices(ledger) {
		f.AdvicesApplied++
		f.OverspendMinor += entry.GetOverspendMinor()
		wrongForLimit := cards.Entries[entry.GetOperation().GetKey()].GetWrongDecision()
		if entry.GetOperation().GetDecision() == book.Approved {
			// A yes is wrong if the money or the card would have said no.
			if entry.GetWrongDecision() || wrongForLimit {
				f.WrongApprovals++
			}
		} else if entry.GetWrongDecision() && wrongForLimit {
			f.WrongDeclines++ // A no is wrong if both would have said yes.
		}
	}
	f.HoldsReversed = ledger.reversed() + e.Books[bank.StorePrepaid].reversed()
	payments(e, unanswered, func(_ *payment, did effect) {
		if did.times > 0 {
			f.UnknownHappened++
		}
	})
	f.ChargedAgain = chargedAgain(e)
	return f
}
