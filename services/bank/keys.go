package bank

// Keys under which operations lie in the book. A key says what an operation
// does to which payment, so that a repetition of it, from whichever service
// and however late, is recognised. The hold of a card payment, in every store,
// and a posting have the payment's idempotency key itself.
//
// Whoever makes the operation names its key: ledger passes the key that it is
// given to the book as it is.
const (
	openPrefix     = "open:"
	advicePrefix   = "adv:"
	reversalPrefix = "rev:"
	retakePrefix   = "re:"
)

// OpenKey is the key under which an account is opened.
func OpenKey(account string) string { return openPrefix + account }

// AdviceKey is the key under which stand-in's decision on a payment is
// applied, and of the hold that an approval makes. It differs from the key of
// the primary's own hold: reversing the one leaves the other alone.
func AdviceKey(key string) string { return advicePrefix + key }

// ReversalKey is the key under which the hold with the given key is released.
func ReversalKey(holdKey string) string { return reversalPrefix + holdKey }

// RetakeKey is the key of the limit hold of a payment that is taken again when
// an earlier attempt may have given the first one back, and the beginning of
// the keys under which a processor asks for a hold again.
func RetakeKey(key string) string { return retakePrefix + key }
