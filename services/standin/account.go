package standin

import (
	bookv1 "breakbank/proto/book/v1"
	"breakbank/services/bank"
)

// What stand-in will approve at most for a customer, whatever the balance
// (our model: the figures of 2017 are not public).
const (
	perPaymentMaxMinor = 100_00
	perDayMaxMinor     = 250_00
)

// account is stand-in's own copy of a current account, as of the last journal
// entry that it has seen, and what it has promised since.
type account struct {
	balanceMinor int64
	heldMinor    int64
	limitMinor   int64 // the lowest available balance agreed
	frozen       bool

	// reservedMinor is approved here and not yet held in the journal.
	reservedMinor int64
	// spentMinor is approved here on the given day, counted from 1970 in UTC.
	spentMinor int64
	day        int64
}

// decide answers a payment from the copy. The card's state and limit are as
// they were seeded: the store that has them publishes no journal.
func decide(card bank.Customer, a account, known bool, amountMinor, day int64) string {
	spent := a.spentMinor
	if a.day != day {
		spent = 0
	}
	switch {
	case !known:
		return bank.NoSuchCard
	case card.CardState == bank.StateExpired:
		return bank.Expired
	case card.CardState == bank.StateFrozen, a.frozen:
		return bank.DoNotHonour
	case amountMinor > perPaymentMaxMinor, amountMinor > min(perDayMaxMinor, card.DailyLimitMinor)-spent:
		return bank.OverLimit
	case amountMinor > a.availableMinor():
		return bank.InsufficientFunds
	default:
		return bank.Approved
	}
}

// availableMinor is what may still be spent as far as is known here.
func (a account) availableMinor() int64 {
	return a.balanceMinor - a.heldMinor - a.reservedMinor - a.limitMinor
}

// reserve takes an approved payment into account.
func (a account) reserve(amountMinor, day int64) account {
	if a.day != day {
		a.spentMinor, a.day = 0, day
	}
	a.spentMinor += amountMinor
	a.reservedMinor += amountMinor
	return a
}

// settle ends a reservation: the journal now says what became of it.
func (a account) settle(amountMinor int64) account {
	a.reservedMinor -= amountMinor
	return a
}

// unspend gives a reversed payment back to the day that it was approved on.
func (a account) unspend(amountMinor, day int64) account {
	if a.day == day {
		a.spentMinor -= amountMinor
	}
	return a
}

// movement is what a journal entry does to one account.
type movement struct {
	account                 string
	balanceMinor, heldMinor int64
	// opened says that the account begins with this, if it is not known.
	opened     bool
	limitMinor int64
	// state is what the account's state becomes, "" for no change.
	state string
}

// movements are what an entry does to the accounts of its store. Captures and
// releases are journalled with the account and amount of their hold.
func movements(e *bookv1.Entry) []movement {
	op := e.GetOperation()
	debit, amount := op.GetDebitAccount(), op.GetAmountMinor()
	if e.GetRefusal() != bookv1.Refusal_REFUSAL_UNSPECIFIED {
		return nil
	}
	switch op.GetKind() {
	case bookv1.OperationKind_OPERATION_KIND_OPEN:
		return []movement{{account: debit, balanceMinor: amount, opened: true, limitMinor: op.GetLimitMinor(), state: op.GetState()}}
	case bookv1.OperationKind_OPERATION_KIND_POST:
		return []movement{{account: debit, balanceMinor: -amount}, {account: op.GetCreditAccount(), balanceMinor: amount}}
	case bookv1.OperationKind_OPERATION_KIND_HOLD:
		return []movement{{account: debit, heldMinor: amount}}
	case bookv1.OperationKind_OPERATION_KIND_CAPTURE:
		return []movement{{account: debit, balanceMinor: -amount, heldMinor: -amount}, {account: op.GetCreditAccount(), balanceMinor: amount}}
	case bookv1.OperationKind_OPERATION_KIND_RELEASE:
		return []movement{{account: debit, heldMinor: -amount}}
	case bookv1.OperationKind_OPERATION_KIND_ADVICE:
		if op.GetDecision() != bank.Approved {
			return nil
		}
		return []movement{{account: debit, heldMinor: amount}}
	case bookv1.OperationKind_OPERATION_KIND_SET_STATE:
		return []movement{{account: debit, state: op.GetState()}}
	default:
		return nil
	}
}

// move applies a movement to an account that is known.
func (a account) move(m movement) account {
	if m.opened {
		return a // seeded already, with the same figures
	}
	a.balanceMinor += m.balanceMinor
	a.heldMinor += m.heldMinor
	if m.state != "" {
		a.frozen = m.state == bank.StateFrozen
	}
	return a
}

// openedBy is the account that an opening makes.
func openedBy(m movement) account {
	return account{balanceMinor: m.balanceMinor, limitMinor: m.limitMinor, frozen: m.state == bank.StateFrozen}
}
