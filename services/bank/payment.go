package bank

import bankv1 "breakbank/proto/bank/v1"

// Bounds of what a card network may send, in bytes. The book takes keys of 256
// and references of 1,024: a payment that it could never take must not be
// decided, by stand-in least of all, whose decisions have to be booked later.
// ISO 8583 has 6 + 10 + 11 characters for what makes the key (DE11, DE7, DE32)
// and 40 for the merchant (DE43).
const (
	maxPaymentKey = 200 // leaves room for the prefixes of keys
	maxMerchant   = 256
	maxReason     = 256
)

// CheckPayment refuses a request that is no card payment, whoever decides it.
func CheckPayment(req *bankv1.AuthoriseRequest) error {
	switch {
	case req.GetIdempotencyKey() == "" || req.GetAmountMinor() <= 0:
		return Errorf(Invalid, "a payment needs an idempotency key and an amount above zero")
	case len(req.GetIdempotencyKey()) > maxPaymentKey:
		return Errorf(Invalid, "a payment's idempotency key has %d bytes, more than %d", len(req.GetIdempotencyKey()), maxPaymentKey)
	case len(req.GetMerchant()) > maxMerchant:
		return Errorf(Invalid, "a payment's merchant has %d bytes, more than %d", len(req.GetMerchant()), maxMerchant)
	}
	return nil
}

// CheckReversal refuses a request that can reverse no card payment, nor
// stand-in's decision on one.
func CheckReversal(req *bankv1.ReverseRequest) error {
	switch longest := len(AdviceKey("")) + maxPaymentKey; {
	case req.GetIdempotencyKey() == "":
		return Errorf(Invalid, "a reversal needs the idempotency key of its payment")
	case len(req.GetIdempotencyKey()) > longest:
		return Errorf(Invalid, "a reversal's idempotency key has %d bytes, more than %d", len(req.GetIdempotencyKey()), longest)
	case len(req.GetReason()) > maxReason:
		return Errorf(Invalid, "a reversal's reason has %d bytes, more than %d", len(req.GetReason()), maxReason)
	}
	return nil
}
