package audit

import (
	"fmt"

	"breakbank/loadgen"
	"breakbank/loadgen/customers"
	"breakbank/platform/book"
	bookv1 "breakbank/proto/book/v1"
	"breakbank/services/bank"
)

// effect is what a payment did to its customer's money, whoever decided it.
type effect struct {
	// times counts the holds and postings that stand, by the keys under which
	// they were made.
	times int
	by    []string
	// wrong says what about them is not what was asked for.
	wrong string
}

// effectOf reads from the books what a write did.
func effectOf(books Books, r *loadgen.Record) effect {
	customer := bank.CustomerAt(r.Customer)
	switch r.Journey {
	case customers.CardTap:
		e := books[bank.StoreLedger].holds(customer.Account, r.AmountMinor, r.Key, bank.AdviceKey(r.Key))
		limit := books[bank.StoreCards].holds(customer.LimitAccount, r.AmountMinor,
			r.Key, bank.RetakeKey(r.Key), bank.AdviceKey(r.Key))
		if e.wrong == "" && limit.times != e.times {
			e.wrong = fmt.Sprintf("the card's limit is taken under %q, the money under %q", limit.by, e.by)
		}
		return e
	case customers.PrepaidTap:
		return books[bank.StorePrepaid].holds(customer.PrepaidAccount, r.AmountMinor, r.Key)
	case customers.TransferOut, customers.PaySession:
		return books[bank.StoreLedger].posting(r.Key, customer.Account, bank.AccountFPS, r.AmountMinor)
	case customers.TransferIn:
		return books[bank.StoreLedger].posting(r.Key, bank.AccountFPS, customer.Account, r.AmountMinor)
	}
	return effect{wrong: fmt.Sprintf("%s moves no money", r.Name)}
}

// holds counts the holds with one of the keys that stand at the end.
func (b *Book) holds(account string, amountMinor int64, keys ...string) effect {
	var e effect
	for _, key := range keys {
		h, known, _ := b.Replayed.Hold(key) // A replay in memory returns no error.
		if !known || h.Status == book.HoldReleased {
			continue
		}
		e.times++
		e.by = append(e.by, key)
		if h.Account != account || h.AmountMinor != amountMinor {
			e.wrong = fmt.Sprintf("held %s of %s", bank.Pounds(h.AmountMinor), h.Account)
		}
	}
	return e
}

// posting looks for the posting with the key.
func (b *Book) posting(key, from, to string, amountMinor int64) effect {
	entry := b.Entries[key]
	if entry == nil || entry.GetRefusal() != bookv1.Refusal_REFUSAL_UNSPECIFIED {
		return effect{}
	}
	op := entry.GetOperation()
	if op.GetDebitAccount() != from || op.GetCreditAccount() != to || op.GetAmountMinor() != amountMinor {
		return effect{times: 1, wrong: fmt.Sprintf("posted %s from %s to %s", bank.Pounds(op.GetAmountMinor()),
			op.GetDebitAccount(), op.GetCreditAccount())}
	}
	return effect{times: 1}
}
