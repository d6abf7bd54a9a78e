package cardauth

import (
	"context"

	"golang.org/x/sync/errgroup"

	"breakbank/platform/rpc"
	bankv1 "breakbank/proto/bank/v1"
	bookv1 "breakbank/proto/book/v1"
	"breakbank/services/bank"
)

// Authorise decides a payment: 14 no such card, 54 expired, 05 frozen, 61 over
// the card's limit, 51 insufficient funds, 00 approved. 96 says that the
// payment has been reversed and can no longer be approved. Other failures are
// errors: Unavailable when nothing was held, and of a kind that may have been
// executed when something may be held, which the caller then reverses.
func (s *service) Authorise(ctx context.Context, req *bankv1.AuthoriseRequest) (*bankv1.AuthoriseResponse, error) {
	if err := bank.CheckPayment(req); err != nil {
		return nil, err
	}
	i, ours := cardIndex(req.GetCardNumber())
	if !ours {
		return answer(bank.NoSuchCard), nil
	}
	code, err := s.decide(ctx, bank.CurrentAccount(i), spend{
		key:         req.GetIdempotencyKey(),
		account:     bank.LimitAccount(i),
		amountMinor: req.GetAmountMinor(),
		reference:   req.GetMerchant(),
	})
	if err != nil {
		return nil, bank.Wrap(err, "authorise %s", req.GetIdempotencyKey())
	}
	return answer(code), nil
}

// cardIndex says whose current-account card a number is, if it is one.
func cardIndex(number string) (i int, ours bool) {
	i, prepaid, err := bank.ParseCard(number)
	return i, err == nil && !prepaid
}

func answer(code string) *bankv1.AuthoriseResponse {
	return &bankv1.AuthoriseResponse{ResponseCode: code, DecidedBy: serviceName}
}

func (s *service) decide(ctx context.Context, account string, sp spend) (code string, err error) {
	refusal, takenBefore, err := s.limits.take(ctx, sp)
	if err != nil {
		return "", err
	}
	if refusal != bookv1.Refusal_REFUSAL_UNSPECIFIED {
		return s.limitRefused(ctx, sp.account, refusal)
	}
	held, err := s.ledger.Hold(rpc.WithKey(ctx, sp.key), &bankv1.HoldRequest{
		IdempotencyKey: sp.key,
		Account:        account,
		AmountMinor:    sp.amountMinor,
		Reference:      sp.reference,
	})
	switch {
	case err != nil && bank.MayHaveHappened(err):
		// The money may be held, so the limit stays held with it: whoever
		// repeats the payment must find both, and whoever reverses it gives
		// back both.
		return "", bank.Wrap(err, "hold in %s", account)
	case err != nil:
		if errBack := s.limits.giveBack(ctx, sp); errBack != nil {
			return "", errBack
		}
		return "", bank.Wrap(err, "hold in %s", account)
	case held.GetRefusal() != bankv1.Refusal_REFUSAL_UNSPECIFIED:
		if err := s.limits.giveBack(ctx, sp); err != nil {
			return "", err
		}
		return bank.ResponseForRefusal(held.GetRefusal()), nil
	case takenBefore:
		reversed, err := s.limits.retake(ctx, sp)
		if reversed {
			// The ledger has told its first answer again; it no longer holds.
			return bank.SystemError, err
		}
		return bank.Approved, err
	default:
		return bank.Approved, nil
	}
}

// limitRefused is the answer for a card whose limit could not be held. An
// expired card has no limit and may be frozen too; it stays expired, which
// keeps the answer the same on repetition.
func (s *service) limitRefused(ctx context.Context, account string, refusal bookv1.Refusal) (string, error) {
	var code string
	switch refusal {
	case bookv1.Refusal_REFUSAL_INSUFFICIENT_FUNDS:
		code = bank.OverLimit
	case bookv1.Refusal_REFUSAL_FROZEN:
		code = bank.DoNotHonour
	default:
		return bank.ResponseForRefusal(bank.RefusalFromBook(refusal)), nil
	}
	card, err := s.cards.Account(ctx, account)
	if err != nil {
		// Nothing is held: whoever asks again may.
		return "", bank.Errorf(bank.Unavailable, "read card %s: %w", account, err)
	}
	if card.GetState() == bank.StateExpired {
		return bank.Expired, nil
	}
	return code, nil
}

// Reverse undoes an authorisation, or stand-in's when the key is that of its
// advice, in the ledger and in the card's limit; one that has not arrived yet
// is refused when it does. Answered 00 it is done for good; it may be repeated
// at will.
func (s *service) Reverse(ctx context.Context, req *bankv1.ReverseRequest) (*bankv1.ReverseResponse, error) {
	if err := bank.CheckReversal(req); err != nil {
		return nil, err
	}
	key := req.GetIdempotencyKey()
	i, ours := cardIndex(req.GetCardNumber())
	if !ours {
		return &bankv1.ReverseResponse{ResponseCode: bank.NoSuchCard}, nil
	}
	both, ctx := errgroup.WithContext(ctx)
	both.Go(func() error { return s.limits.reverse(ctx, bank.LimitAccount(i), key) })
	both.Go(func() error {
		reversal := bank.ReversalKey(key)
		_, err := s.ledger.Release(rpc.WithKey(ctx, reversal), &bankv1.ReleaseRequest{
			IdempotencyKey: reversal,
			HoldKey:        key,
			Account:        bank.CurrentAccount(i),
		})
		return bank.Wrap(err, "release in the ledger")
	})
	if err := both.Wait(); err != nil {
		return nil, bank.Wrap(err, "reverse %s", key)
	}
	return &bankv1.ReverseResponse{ResponseCode: bank.Approved}, nil
}
