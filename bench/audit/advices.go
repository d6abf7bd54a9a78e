package audit

import (
	"strings"

	"breakbank/loadgen"
	"breakbank/loadgen/customers"
	bookv1 "breakbank/proto/book/v1"
	"breakbank/services/bank"
)

// checkAdvices claims that each decision of stand-in that a client was given is
// in the books as that decision, once, in the ledger and in the card's limit,
// and that no advice is there which nobody asked for. (Once, because a journal
// that repeats a key does not replay.)
func checkAdvices(e Evidence) finding {
	var f finding
	asked := map[string]bool{}
	for i := range e.Records {
		r := &e.Records[i]
		if r.Journey != customers.CardTap {
			continue
		}
		asked[r.Key] = true
		if !r.Standin || !bank.Decided(r.Code) {
			continue
		}
		f.checked++
		customer := bank.CustomerAt(r.Customer)
		for store, account := range map[string]string{
			bank.StoreLedger: customer.Account, bank.StoreCards: customer.LimitAccount,
		} {
			if why := adviceFor(e.Books[store], r, account); why != "" {
				f.faults.add("store %s: stand-in answered %s to %s, %s", store, r.Code, r.Key, why)
			}
		}
	}
	for _, entry := range advices(e.Books[bank.StoreLedger]) {
		if key := paymentOf(entry); !asked[key] {
			f.faults.add("an advice was applied for %s, a payment that no client made", key)
		}
	}
	return f
}

// adviceFor says what is wrong with the advice that must be there.
func adviceFor(b *Book, r *loadgen.Record, account string) string {
	entry := b.Entries[bank.AdviceKey(r.Key)]
	op := entry.GetOperation()
	switch {
	case entry == nil:
		return "and no advice of it was applied"
	case op.GetDecision() != r.Code:
		return "the advice says " + op.GetDecision()
	case op.GetDebitAccount() != account || op.GetAmountMinor() != r.AmountMinor:
		return "the advice is about " + bank.Pounds(op.GetAmountMinor()) + " of " + op.GetDebitAccount()
	}
	return ""
}

// advices lists the applied advices of a store.
func advices(b *Book) []*bookv1.Entry {
	var all []*bookv1.Entry
	for _, entry := range b.Entries {
		if entry.GetOperation().GetKind() == bookv1.OperationKind_OPERATION_KIND_ADVICE {
			all = append(all, entry)
		}
	}
	return all
}

// paymentOf is the key of the payment that an advice is about.
func paymentOf(advice *bookv1.Entry) string {
	return strings.TrimPrefix(advice.GetOperation().GetKey(), bank.AdviceKey(""))
}
