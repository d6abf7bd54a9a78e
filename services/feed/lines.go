package feed

import (
	bankv1 "breakbank/proto/bank/v1"
	bookv1 "breakbank/proto/book/v1"
	"breakbank/services/bank"
)

// Kinds of entry that a customer sees.
const (
	KindCardPayment  = "card_payment"
	KindCardReversal = "card_reversal"
	KindTransferIn   = "transfer_in"
	KindTransferOut  = "transfer_out"
)

// reversalReference stands where a payment has the merchant's name: the
// journal's release names the hold it gives back, not the merchant.
const reversalReference = "Card payment reversed"

// line is an entry of the feed of one account.
type line struct {
	account string
	entry   *bankv1.FeedEntry
}

// linesOf is what the customers concerned see of an entry of the journal. Most
// entries are one customer's line; a transfer between two customers is a line
// for each.
//
// What moved no money of a customer shows nowhere: what was refused, a release
// of nothing, an advice that declined, opening and state of an account. Nor
// does a capture, whose money the customer saw go when it was held.
func linesOf(e *bookv1.Entry) []line {
	op := e.GetOperation()
	if e.GetRefusal() != bookv1.Refusal_REFUSAL_UNSPECIFIED || op.GetAmountMinor() == 0 {
		return nil
	}
	var lines []line
	show := func(account string, amountMinor int64, kind, reference string) {
		if _, err := bank.AccountIndex(account); err != nil {
			return // One of the bank's own.
		}
		lines = append(lines, line{account: account, entry: &bankv1.FeedEntry{
			Sequence:    e.GetSequence(),
			At:          e.GetAt(),
			AmountMinor: amountMinor,
			Reference:   reference,
			Kind:        kind,
		}})
	}
	switch op.GetKind() {
	case bookv1.OperationKind_OPERATION_KIND_POST:
		show(op.GetDebitAccount(), -op.GetAmountMinor(), KindTransferOut, op.GetReference())
		show(op.GetCreditAccount(), op.GetAmountMinor(), KindTransferIn, op.GetReference())
	case bookv1.OperationKind_OPERATION_KIND_HOLD:
		show(op.GetDebitAccount(), -op.GetAmountMinor(), KindCardPayment, op.GetReference())
	case bookv1.OperationKind_OPERATION_KIND_ADVICE:
		if op.GetDecision() == bank.Approved {
			show(op.GetDebitAccount(), -op.GetAmountMinor(), KindCardPayment, op.GetReference())
		}
	case bookv1.OperationKind_OPERATION_KIND_RELEASE:
		show(op.GetDebitAccount(), op.GetAmountMinor(), KindCardReversal, reversalReference)
	}
	return lines
}
