package book

import (
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"strings"

	bookv1 "breakbank/proto/book/v1"
)

// Bounds of an operation.
const (
	// maxAmountMinor keeps sums far from overflowing 64 bits: ten billion
	// pounds, nine million times over.
	maxAmountMinor = 1_000_000_000_000
	maxNameBytes   = 256  // of keys and account ids
	maxTextBytes   = 1024 // of references
)

// bankPrefix marks the bank's own accounts. They exist without being opened
// and may go below zero without limit: they are the other side of money that
// enters and leaves.
const bankPrefix = "bank:"

// openingAccount is where opening balances come from.
const openingAccount = bankPrefix + "opening"

// States of an account that the book knows; it keeps others for their owner.
const (
	StateActive = "active"
	// StateFrozen refuses what takes money out: posts and holds.
	StateFrozen = "frozen"
)

// Approved is the response code of an advice that money follows.
const Approved = "00"

// IsBank says whether the account is one of the bank's own.
func IsBank(id string) bool { return strings.HasPrefix(id, bankPrefix) }

// holdKey is the name of the hold that op makes or speaks of. A hold is named
// by hold_key, or else by the key of the operation that made it.
func holdKey(op *bookv1.Operation) string {
	if op.GetHoldKey() != "" {
		return op.GetHoldKey()
	}
	return op.GetKey()
}

// validate refuses what makes no sense in any state of the book.
func validate(op *bookv1.Operation) error {
	bad := func(format string, args ...any) error {
		return fmt.Errorf("%w %.64q: %s", ErrInvalid, op.GetKey(), fmt.Sprintf(format, args...))
	}
	if op.GetKey() == "" {
		return bad("no key")
	}
	for _, name := range []string{op.GetKey(), op.GetDebitAccount(), op.GetCreditAccount(), op.GetHoldKey(), op.GetState(), op.GetDecision()} {
		if len(name) > maxNameBytes {
			return bad("a name of %d bytes, more than %d", len(name), maxNameBytes)
		}
	}
	if len(op.GetReference()) > maxTextBytes {
		return bad("a reference of %d bytes, more than %d", len(op.GetReference()), maxTextBytes)
	}
	if op.GetAmountMinor() < 0 || op.GetAmountMinor() > maxAmountMinor {
		return bad("amount %d is not within 0 to %d", op.GetAmountMinor(), int64(maxAmountMinor))
	}
	if op.GetLimitMinor() > maxAmountMinor || op.GetLimitMinor() < -maxAmountMinor {
		return bad("limit %d is beyond %d either way", op.GetLimitMinor(), int64(maxAmountMinor))
	}
	needs, ok := needsOf(op.GetKind())
	switch {
	case !ok:
		return bad("unknown kind %v", op.GetKind())
	case needs.debit && op.GetDebitAccount() == "":
		return bad("%v without a debit account", op.GetKind())
	case needs.credit && op.GetCreditAccount() == "":
		return bad("%v without a credit account", op.GetKind())
	case needs.credit && op.GetCreditAccount() == op.GetDebitAccount():
		return bad("%v from an account to itself", op.GetKind())
	case needs.amount && op.GetAmountMinor() == 0:
		return bad("%v of nothing", op.GetKind())
	case needs.hold && op.GetHoldKey() == "":
		return bad("%v without a hold key", op.GetKind())
	case needs.state && op.GetState() == "":
		return bad("%v without a state", op.GetKind())
	case needs.decision && op.GetDecision() == "":
		return bad("%v without a decision", op.GetKind())
	case op.GetKind() == bookv1.OperationKind_OPERATION_KIND_OPEN && IsBank(op.GetDebitAccount()):
		return bad("the bank's own accounts are not opened")
	}
	return nil
}

// needs are the fields that a kind of operation cannot do without.
type needs struct{ debit, credit, amount, hold, state, decision bool }

func needsOf(kind bookv1.OperationKind) (needs, bool) {
	switch kind {
	case bookv1.OperationKind_OPERATION_KIND_POST:
		return needs{debit: true, credit: true, amount: true}, true
	case bookv1.OperationKind_OPERATION_KIND_HOLD:
		return needs{debit: true, amount: true}, true
	case bookv1.OperationKind_OPERATION_KIND_CAPTURE:
		return needs{credit: true, hold: true}, true
	case bookv1.OperationKind_OPERATION_KIND_RELEASE:
		return needs{hold: true}, true
	case bookv1.OperationKind_OPERATION_KIND_ADVICE:
		return needs{debit: true, amount: true, decision: true}, true
	case bookv1.OperationKind_OPERATION_KIND_SET_STATE:
		return needs{debit: true, state: true}, true
	case bookv1.OperationKind_OPERATION_KIND_OPEN:
		return needs{debit: true}, true
	default:
		return needs{}, false
	}
}

// contentHash identifies what an operation asks for. The encoding is our own,
// because protobuf does not promise that its bytes stay the same.
func contentHash(op *bookv1.Operation) [sha256.Size]byte {
	buf := make([]byte, 0, 256)
	text := func(s string) {
		buf = binary.AppendUvarint(buf, uint64(len(s)))
		buf = append(buf, s...)
	}
	text(op.GetKey())
	buf = binary.AppendVarint(buf, int64(op.GetKind()))
	text(op.GetDebitAccount())
	text(op.GetCreditAccount())
	buf = binary.AppendVarint(buf, op.GetAmountMinor())
	text(op.GetHoldKey())
	text(op.GetReference())
	text(op.GetState())
	buf = binary.AppendVarint(buf, op.GetLimitMinor())
	text(op.GetDecision())
	return sha256.Sum256(buf)
}
