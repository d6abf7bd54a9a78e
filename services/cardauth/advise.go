package cardauth

import (
	"context"

	"breakbank/platform/rpc"
	bankv1 "breakbank/proto/bank/v1"
	bookv1 "breakbank/proto/book/v1"
	"breakbank/services/bank"
)

// Advise records stand-in's decision as it was taken, yes or no, in the card's
// limit and in the ledger (0120 -> 0130). Each store says for itself whether
// it would have decided otherwise: an approval was wrong if either would have
// declined, a decline if both would have approved. Advices may come in any
// order and any number of times; each is applied once.
func (s *service) Advise(ctx context.Context, req *bankv1.AdviseRequest) (*bankv1.AdviseResponse, error) {
	payment := req.GetAuthorisation()
	if payment.GetIdempotencyKey() == "" || !bank.Decided(req.GetResponseCode()) {
		return nil, bank.Errorf(bank.Invalid, "an advice needs a payment's idempotency key and a decision")
	}
	i, ours := cardIndex(payment.GetCardNumber())
	if !ours {
		return nil, bank.Errorf(bank.Invalid, "advice for %s: not a current-account card", bank.MaskCard(payment.GetCardNumber()))
	}
	key := bank.AdviceKey(payment.GetIdempotencyKey())
	if _, err := s.cards.Apply(ctx, &bookv1.Operation{
		Key:          key,
		Kind:         bookv1.OperationKind_OPERATION_KIND_ADVICE,
		DebitAccount: bank.LimitAccount(i),
		AmountMinor:  payment.GetAmountMinor(),
		HoldKey:      key,
		Reference:    payment.GetMerchant(),
		Decision:     req.GetResponseCode(),
	}); err != nil {
		return nil, bank.Wrap(err, "advice %s in limit %s", key, bank.LimitAccount(i))
	}
	applied, err := s.ledger.ApplyAdvice(rpc.WithKey(ctx, key), &bankv1.ApplyAdviceRequest{
		IdempotencyKey: key,
		Account:        bank.CurrentAccount(i),
		AmountMinor:    payment.GetAmountMinor(),
		ResponseCode:   req.GetResponseCode(),
		Reference:      payment.GetMerchant(),
	})
	if err != nil {
		return nil, bank.Wrap(err, "advice %s in the ledger", key)
	}
	return &bankv1.AdviseResponse{Applied: applied.GetApplied()}, nil
}
