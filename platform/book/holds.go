package book

import (
	"fmt"

	bookv1 "breakbank/proto/book/v1"
)

// The life of a hold. Messages about it may come in any order, more than once
// and from two deciders, so each pair has an answer:
//
//	          unknown            open              captured       released
//	HOLD      checked, opened    ErrInvalid        ErrInvalid     RELEASED
//	CAPTURE   NO_SUCH_HOLD       posted            NO_SUCH_HOLD   RELEASED
//	RELEASE   remembered         given back        NO_SUCH_HOLD   nothing to do
//	ADVICE 00 opened by force    made to agree     nothing to do  RELEASED
//	ADVICE ≠  no money moves, whatever the hold
//
// (A second HOLD with the same key is answered by the key and never gets
// here; ErrInvalid is for another operation that claims the same hold.)

// heldBy returns the hold that the operation speaks of.
func (d *decider) heldBy(key string) (Hold, bool, error) {
	h, ok, err := d.view.Hold(key)
	if err != nil {
		return Hold{}, false, fmt.Errorf("look up hold %q: %w", key, err)
	}
	return h, ok, nil
}

func (d *decider) setAside() error {
	op := d.entry.GetOperation()
	key := holdKey(op)
	h, known, err := d.heldBy(key)
	if err != nil {
		return err
	}
	if known {
		if h.Status == HoldReleased {
			return d.refuse(bookv1.Refusal_REFUSAL_RELEASED)
		}
		return fmt.Errorf("%w %q: hold %q exists already", ErrInvalid, op.GetKey(), key)
	}
	a, err := d.account(op.GetDebitAccount())
	if err != nil {
		return err
	}
	if why := spendable(a, op.GetAmountMinor()); why != bookv1.Refusal_REFUSAL_UNSPECIFIED {
		return d.refuse(why)
	}
	a.HeldMinor += op.GetAmountMinor()
	d.changeHold(key, Hold{Account: a.GetId(), AmountMinor: op.GetAmountMinor(), Status: HoldOpen})
	return d.change(a)
}

// capture posts the whole hold. An amount, if given, must be the hold's.
func (d *decider) capture() error {
	op := d.entry.GetOperation()
	h, known, err := d.heldBy(op.GetHoldKey())
	if err != nil {
		return err
	}
	switch {
	case !known, h.Status == HoldCaptured:
		return d.refuse(bookv1.Refusal_REFUSAL_NO_SUCH_HOLD)
	case h.Status == HoldReleased:
		return d.refuse(bookv1.Refusal_REFUSAL_RELEASED)
	case op.GetAmountMinor() != 0 && op.GetAmountMinor() != h.AmountMinor:
		return fmt.Errorf("%w %q: capture of %d from a hold of %d", ErrInvalid, op.GetKey(), op.GetAmountMinor(), h.AmountMinor)
	case op.GetCreditAccount() == h.Account:
		return fmt.Errorf("%w %q: capture from an account to itself", ErrInvalid, op.GetKey())
	}
	from, err := d.account(h.Account)
	if err != nil {
		return err
	}
	to, err := d.account(op.GetCreditAccount())
	if err != nil {
		return err
	}
	if to == nil || from == nil {
		return d.refuse(bookv1.Refusal_REFUSAL_NO_SUCH_ACCOUNT)
	}
	op.DebitAccount, op.AmountMinor = h.Account, h.AmountMinor
	from.HeldMinor -= h.AmountMinor
	from.BalanceMinor -= h.AmountMinor
	to.BalanceMinor += h.AmountMinor
	d.changeHold(op.GetHoldKey(), Hold{Account: h.Account, AmountMinor: h.AmountMinor, Status: HoldCaptured})
	return d.change(from, to)
}

// release gives the money back. The journalled amount is what was given back:
// 0 when the hold is not known yet, or was released before.
func (d *decider) release() error {
	op := d.entry.GetOperation()
	h, known, err := d.heldBy(op.GetHoldKey())
	if err != nil {
		return err
	}
	op.AmountMinor = 0
	switch {
	case !known:
		d.changeHold(op.GetHoldKey(), Hold{Account: op.GetDebitAccount(), Status: HoldReleased})
		return nil
	case h.Status == HoldCaptured:
		return d.refuse(bookv1.Refusal_REFUSAL_NO_SUCH_HOLD)
	case h.Status == HoldReleased:
		return nil
	}
	a, err := d.account(h.Account)
	if err != nil {
		return err
	}
	if a == nil {
		return d.refuse(bookv1.Refusal_REFUSAL_NO_SUCH_ACCOUNT)
	}
	op.DebitAccount, op.AmountMinor = h.Account, h.AmountMinor
	a.HeldMinor -= h.AmountMinor
	d.changeHold(op.GetHoldKey(), Hold{Account: h.Account, AmountMinor: h.AmountMinor, Status: HoldReleased})
	return d.change(a)
}

// advice records a decision taken elsewhere, and whether the book would have
// decided the same now. What was approved is held whatever the balance and
// state; how far that takes the account further below its limit is the
// overspend.
func (d *decider) advice() error {
	op := d.entry.GetOperation()
	key := holdKey(op)
	h, known, err := d.heldBy(key)
	if err != nil {
		return err
	}
	a, err := d.account(op.GetDebitAccount())
	if err != nil {
		return err
	}
	held := known && h.Status != HoldReleased
	would := held || spendable(a, op.GetAmountMinor()) == bookv1.Refusal_REFUSAL_UNSPECIFIED
	d.entry.WrongDecision = would != (op.GetDecision() == Approved)
	switch {
	case op.GetDecision() != Approved:
		return nil
	case a == nil:
		return d.refuse(bookv1.Refusal_REFUSAL_NO_SUCH_ACCOUNT)
	case known && h.Status == HoldReleased:
		return d.refuse(bookv1.Refusal_REFUSAL_RELEASED)
	case known && h.Status == HoldCaptured:
		return nil
	case known && h.Account != a.GetId():
		return fmt.Errorf("%w %q: hold %q is on account %q, the advice on %q", ErrInvalid, op.GetKey(), key, h.Account, a.GetId())
	}
	before := shortfall(a)
	a.HeldMinor += op.GetAmountMinor() - h.AmountMinor // h is zero when unknown
	d.entry.OverspendMinor = max(0, shortfall(a)-before)
	d.changeHold(key, Hold{Account: a.GetId(), AmountMinor: op.GetAmountMinor(), Status: HoldOpen})
	return d.change(a)
}

// shortfall is how far a is below its limit, 0 when it is not.
func shortfall(a *bookv1.Account) int64 {
	if IsBank(a.GetId()) {
		return 0
	}
	return max(0, a.GetLimitMinor()-available(a))
}
