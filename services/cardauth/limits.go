package cardauth

import (
	"context"
	"fmt"
	"math/rand/v2"
	"time"

	"breakbank/platform/book"
	bookv1 "breakbank/proto/book/v1"
	"breakbank/services/bank"
)

// Bounds of giving a limit hold back.
const (
	giveBackBudget   = 400 * time.Millisecond // all attempts together
	giveBackAttempts = 3
)

var giveBackBackoff = bank.Backoff{First: 20 * time.Millisecond, Max: 80 * time.Millisecond}

// limits are the limit accounts of the cards: the balance is the daily limit,
// and what a payment spends is held in it.
type limits struct{ cards book.Store }

// spend is one payment's use of a limit.
type spend struct {
	key         string // of the payment
	account     string // the limit account
	amountMinor int64
	reference   string
}

// take holds the amount. Taken before says that an earlier attempt of the same
// payment did, and may have given it back since: see retake.
func (l limits) take(ctx context.Context, s spend) (refusal bookv1.Refusal, takenBefore bool, err error) {
	result, err := l.cards.Apply(ctx, &bookv1.Operation{
		Key:          s.key,
		Kind:         bookv1.OperationKind_OPERATION_KIND_HOLD,
		DebitAccount: s.account,
		AmountMinor:  s.amountMinor,
		HoldKey:      s.key,
		Reference:    s.reference,
	})
	if err != nil {
		return 0, false, bank.Wrap(err, "hold %s of limit %s", bank.Pounds(s.amountMinor), s.account)
	}
	return result.Refusal, result.Replayed, nil
}

// giveBack releases the hold of a payment that did not take place. It outlives
// the request, whose time may be over, but not by much.
func (l limits) giveBack(ctx context.Context, s spend) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), giveBackBudget)
	defer cancel()
	var err error
	for failures := 1; failures <= giveBackAttempts; failures++ {
		if err = l.release(ctx, s.account, s.key); err == nil {
			return nil
		}
		if !pause(ctx, giveBackBackoff.Wait(failures, rand.Float64())) {
			break
		}
	}
	return bank.Errorf(bank.OutcomeUnknown, "give limit back: %w", err)
}

// retake makes sure that an approved payment is held against the limit exactly
// once, when it is not known whether an earlier attempt gave its hold back.
// It releases that hold for certain and takes another, whatever the limit
// says: the payment has been approved. The hold taken again is the same for
// all attempts, but each asks under a key of its own, so that the book looks
// rather than remembers: reversed says that the payment has been undone.
func (l limits) retake(ctx context.Context, s spend) (reversed bool, err error) {
	if err := l.release(ctx, s.account, s.key); err != nil {
		return false, err
	}
	key := bank.RetakeKey(s.key)
	result, err := l.cards.Apply(ctx, &bookv1.Operation{
		Key:          fmt.Sprintf("%s:%016x", key, rand.Uint64()),
		Kind:         bookv1.OperationKind_OPERATION_KIND_ADVICE,
		DebitAccount: s.account,
		AmountMinor:  s.amountMinor,
		HoldKey:      key,
		Reference:    s.reference,
		Decision:     bank.Approved,
	})
	if err != nil {
		return false, bank.Wrap(err, "take limit %s again", s.account)
	}
	return result.Refusal == bookv1.Refusal_REFUSAL_RELEASED, nil
}

// reverse releases whatever hold a payment has or may yet get.
func (l limits) reverse(ctx context.Context, account, key string) error {
	for _, holdKey := range []string{key, bank.RetakeKey(key)} {
		if err := l.release(ctx, account, holdKey); err != nil {
			return err
		}
	}
	return nil
}

// release gives one hold back; a hold not yet seen is refused when it comes.
func (l limits) release(ctx context.Context, account, holdKey string) error {
	_, err := l.cards.Apply(ctx, &bookv1.Operation{
		Key:          bank.ReversalKey(holdKey),
		Kind:         bookv1.OperationKind_OPERATION_KIND_RELEASE,
		DebitAccount: account,
		HoldKey:      holdKey,
	})
	return bank.Wrap(err, "release %s in limit %s", holdKey, account)
}

// pause waits for d; it returns false when ctx ends first.
func pause(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}
