package bank

import (
	bankv1 "breakbank/proto/bank/v1"
	bookv1 "breakbank/proto/book/v1"
)

// Response codes of a card payment: DE39 of ISO 8583.
const (
	Approved          = "00"
	DoNotHonour       = "05"
	NoSuchCard        = "14"
	InsufficientFunds = "51"
	Expired           = "54"
	OverLimit         = "61"
	IssuerInoperative = "91"
	SystemError       = "96"
)

// Declined says that a code is a business no: the bank was asked, it decided,
// and the answer is no. 91 and 96 are failures, never a decline.
func Declined(code string) bool {
	switch code {
	case DoNotHonour, NoSuchCard, InsufficientFunds, Expired, OverLimit:
		return true
	}
	return false
}

// Decided says that a code is an answer, yes or no, rather than a failure.
func Decided(code string) bool { return code == Approved || Declined(code) }

// ResponseForRefusal is the response code for a refusal of a hold on money.
// A hold released before it came is no answer to anybody: it was reversed, and
// 96 says that this processor cannot approve it any more.
func ResponseForRefusal(refusal bankv1.Refusal) string {
	switch refusal {
	case bankv1.Refusal_REFUSAL_UNSPECIFIED:
		return Approved
	case bankv1.Refusal_REFUSAL_INSUFFICIENT_FUNDS:
		return InsufficientFunds
	case bankv1.Refusal_REFUSAL_NO_SUCH_ACCOUNT:
		return NoSuchCard
	case bankv1.Refusal_REFUSAL_FROZEN:
		return DoNotHonour
	default:
		return SystemError
	}
}

// RefusalFromBook is a refusal of the book as the services say it. A capture
// or release that finds no hold has nothing to work on, as one whose hold was
// given back.
func RefusalFromBook(refusal bookv1.Refusal) bankv1.Refusal {
	switch refusal {
	case bookv1.Refusal_REFUSAL_INSUFFICIENT_FUNDS:
		return bankv1.Refusal_REFUSAL_INSUFFICIENT_FUNDS
	case bookv1.Refusal_REFUSAL_NO_SUCH_ACCOUNT:
		return bankv1.Refusal_REFUSAL_NO_SUCH_ACCOUNT
	case bookv1.Refusal_REFUSAL_FROZEN:
		return bankv1.Refusal_REFUSAL_FROZEN
	case bookv1.Refusal_REFUSAL_RELEASED, bookv1.Refusal_REFUSAL_NO_SUCH_HOLD:
		return bankv1.Refusal_REFUSAL_RELEASED
	default:
		return bankv1.Refusal_REFUSAL_UNSPECIFIED
	}
}
