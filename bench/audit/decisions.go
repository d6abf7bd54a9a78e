package audit

import (
	"strings"

	"breakbank/bench/result"
	"breakbank/loadgen"
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
			f.faults.add("%s %s was declined (%s) and the book knows no reason", r.Journey, r.Key, r.Code)
		}
	}
	f.checked += int64(len(advices(e.Books[bank.StoreLedger])))
	return f
}

// rightlyDeclined says whether the true book gives the reason for a no.
func rightlyDeclined(books Books, r *loadgen.Record) bool {
	customer := bank.CustomerAt(r.Customer)
	refused := func(store, key string) bookv1.Refusal { return books[store].Entries[key].GetRefusal() }
	switch r.Journey {
	case loadgen.CardTap:
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
	case loadgen.PrepaidTap:
		return refused(bank.StorePrepaid, r.Key) != bookv1.Refusal_REFUSAL_UNSPECIFIED
	default:
		return refused(bank.StoreLedger, r.Key) != bookv1.Refusal_REFUSAL_UNSPECIFIED
	}
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
	for _, entry := range ledger.Entries {
		op := entry.GetOperation()
		primary := !strings.HasPrefix(op.GetHoldKey(), bank.AdviceKey(""))
		if op.GetKind() == bookv1.OperationKind_OPERATION_KIND_RELEASE && op.GetAmountMinor() > 0 && primary {
			f.LateReversals++
		}
	}
	writes(e, func(_ *loadgen.Record, did effect) {
		if did.times > 0 {
			f.UnknownHappened++
		}
	}, loadgen.Unknown)
	return f
}
