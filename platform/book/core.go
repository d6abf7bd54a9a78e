package book

import (
	"crypto/sha256"
	"fmt"
	"time"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"

	bookv1 "breakbank/proto/book/v1"
)

// HoldStatus is the life of a hold: open, then captured or released. A hold
// can be released before it was ever seen.
type HoldStatus uint8

// The states of a hold.
const (
	HoldOpen HoldStatus = iota + 1
	HoldCaptured
	HoldReleased
)

// Hold is money of an account set aside.
type Hold struct {
	Account     string
	AmountMinor int64
	Status      HoldStatus
}

// KeyRecord is what is remembered of an idempotency key: what was asked, and
// what was answered.
type KeyRecord struct {
	Hash     [sha256.Size]byte
	Sequence int64
	Refusal  bookv1.Refusal
}

// View is the state that a decision looks at. What is not there is nil or
// false. A decision changes nothing that a view returned.
type View interface {
	Account(id string) (*bookv1.Account, error)
	Hold(key string) (Hold, bool, error)
	Key(key string) (KeyRecord, bool, error)
}

// Decision is what an operation comes to: the answer, the journal's entry and
// the state as it is afterwards.
type Decision struct {
	Result Result
	// Entry is nil when the key had been seen; then nothing below is set.
	// Its operation says in full what was done: a capture or release names
	// the account and amount of its hold, even where the request did not.
	Entry    *bookv1.Entry
	Accounts []*bookv1.Account
	// HoldKey is "" when no hold changed.
	HoldKey string
	Hold    Hold
	Key     KeyRecord
}

// Decide says what op comes to as entry number sequence at the time given. It
// has no effects, and returns ErrInvalid, ErrKeyReused or what the view
// returned.
func Decide(view View, op *bookv1.Operation, sequence int64, at time.Time) (*Decision, error) {
	if err := validate(op); err != nil {
		return nil, err
	}
	hash := contentHash(op)
	seen, ok, err := view.Key(op.GetKey())
	if err != nil {
		return nil, fmt.Errorf("look up key %q: %w", op.GetKey(), err)
	}
	if ok {
		if seen.Hash != hash {
			return nil, fmt.Errorf("%w: %q, first used by entry %d", ErrKeyReused, op.GetKey(), seen.Sequence)
		}
		return &Decision{Result: Result{Refusal: seen.Refusal, Sequence: seen.Sequence, Replayed: true}}, nil
	}
	d := &decider{view: view, entry: &bookv1.Entry{
		Sequence: sequence, At: timestamppb.New(at), Operation: proto.CloneOf(op),
	}}
	if err := d.decide(); err != nil {
		return nil, err
	}
	return &Decision{
		Result:   Result{Refusal: d.entry.GetRefusal(), Sequence: sequence},
		Entry:    d.entry,
		Accounts: d.accounts,
		HoldKey:  d.holdKey,
		Hold:     d.hold,
		Key:      KeyRecord{Hash: hash, Sequence: sequence, Refusal: d.entry.GetRefusal()},
	}, nil
}

// decider is one decision being made.
type decider struct {
	view     View
	entry    *bookv1.Entry
	accounts []*bookv1.Account
	holdKey  string
	hold     Hold
}

func (d *decider) decide() error {
	switch d.entry.GetOperation().GetKind() {
	case bookv1.OperationKind_OPERATION_KIND_POST:
		return d.post()
	case bookv1.OperationKind_OPERATION_KIND_HOLD:
		return d.setAside()
	case bookv1.OperationKind_OPERATION_KIND_CAPTURE:
		return d.capture()
	case bookv1.OperationKind_OPERATION_KIND_RELEASE:
		return d.release()
	case bookv1.OperationKind_OPERATION_KIND_ADVICE:
		return d.advice()
	case bookv1.OperationKind_OPERATION_KIND_SET_STATE:
		return d.setState()
	default: // validate lets no other kind through
		return d.open()
	}
}

// account returns a copy that the decision may change, or nil.
func (d *decider) account(id string) (*bookv1.Account, error) {
	a, err := d.view.Account(id)
	if err != nil {
		return nil, fmt.Errorf("read account %q: %w", id, err)
	}
	switch {
	case a != nil:
		return proto.CloneOf(a), nil
	case IsBank(id):
		return &bookv1.Account{Id: id, State: StateActive}, nil
	default:
		return nil, nil
	}
}

// spendable says why amount may not be taken from a, if it may not.
func spendable(a *bookv1.Account, amountMinor int64) bookv1.Refusal {
	switch {
	case a == nil:
		return bookv1.Refusal_REFUSAL_NO_SUCH_ACCOUNT
	case IsBank(a.GetId()):
		return bookv1.Refusal_REFUSAL_UNSPECIFIED
	case a.GetState() == StateFrozen:
		return bookv1.Refusal_REFUSAL_FROZEN
	case available(a)-amountMinor < a.GetLimitMinor():
		return bookv1.Refusal_REFUSAL_INSUFFICIENT_FUNDS
	default:
		return bookv1.Refusal_REFUSAL_UNSPECIFIED
	}
}

func available(a *bookv1.Account) int64 { return a.GetBalanceMinor() - a.GetHeldMinor() }

func (d *decider) refuse(why bookv1.Refusal) error {
	d.entry.Refusal = why
	return nil
}

func (d *decider) change(accounts ...*bookv1.Account) error {
	d.accounts = append(d.accounts, accounts...)
	return nil
}

func (d *decider) changeHold(key string, h Hold) { d.holdKey, d.hold = key, h }

func (d *decider) post() error {
	op := d.entry.GetOperation()
	from, err := d.account(op.GetDebitAccount())
	if err != nil {
		return err
	}
	to, err := d.account(op.GetCreditAccount())
	if err != nil {
		return err
	}
	if why := spendable(from, op.GetAmountMinor()); why != bookv1.Refusal_REFUSAL_UNSPECIFIED {
		return d.refuse(why)
	}
	if to == nil {
		return d.refuse(bookv1.Refusal_REFUSAL_NO_SUCH_ACCOUNT)
	}
	from.BalanceMinor -= op.GetAmountMinor()
	to.BalanceMinor += op.GetAmountMinor()
	return d.change(from, to)
}

func (d *decider) setState() error {
	op := d.entry.GetOperation()
	a, err := d.account(op.GetDebitAccount())
	if err != nil {
		return err
	}
	if a == nil {
		return d.refuse(bookv1.Refusal_REFUSAL_NO_SUCH_ACCOUNT)
	}
	a.State = op.GetState()
	return d.change(a)
}

// open creates an account. The opening balance comes from the bank, whatever
// the limit: an account may start below it.
func (d *decider) open() error {
	op := d.entry.GetOperation()
	existing, err := d.account(op.GetDebitAccount())
	if err != nil {
		return err
	}
	if existing != nil {
		return fmt.Errorf("%w %q: account %q is open already", ErrInvalid, op.GetKey(), op.GetDebitAccount())
	}
	bank, err := d.account(openingAccount)
	if err != nil {
		return err
	}
	bank.BalanceMinor -= op.GetAmountMinor()
	opened := &bookv1.Account{
		Id: op.GetDebitAccount(), BalanceMinor: op.GetAmountMinor(),
		LimitMinor: op.GetLimitMinor(), State: op.GetState(),
	}
	if opened.GetState() == "" {
		opened.State = StateActive
	}
	return d.change(bank, opened)
}
