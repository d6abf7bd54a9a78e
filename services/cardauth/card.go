package cardauth

import (
	"context"

	bankv1 "breakbank/proto/bank/v1"
	bookv1 "breakbank/proto/book/v1"
	"breakbank/services/bank"
)

// GetCard reads a customer's card: its state and what it may still spend
// today.
func (s *service) GetCard(ctx context.Context, req *bankv1.GetCardRequest) (*bankv1.GetCardResponse, error) {
	i, err := bank.CustomerIndex(req.GetCustomerId())
	if err != nil {
		return nil, bank.Wrap(err, "read card")
	}
	card, err := s.cards.Account(ctx, bank.LimitAccount(i))
	if err != nil {
		return nil, bank.Wrap(err, "read card of %s", req.GetCustomerId())
	}
	// Stand-in may have spent more than the limit.
	remaining := card.GetBalanceMinor() - card.GetHeldMinor() - card.GetLimitMinor()
	return &bankv1.GetCardResponse{
		CardNumber:               bank.CardNumber(i),
		State:                    bank.CardStateProto(card.GetState()),
		DailyLimitRemainingMinor: max(remaining, 0),
	}, nil
}

// SetCardState freezes or unfreezes a customer's card, once per idempotency
// key: a repetition changes nothing and is answered as the first was. A card
// that has expired stays so.
func (s *service) SetCardState(ctx context.Context, req *bankv1.SetCardStateRequest) (*bankv1.SetCardStateResponse, error) {
	if req.GetIdempotencyKey() == "" {
		return nil, bank.Errorf(bank.Invalid, "setting a card's state needs an idempotency key")
	}
	var state string
	switch req.GetState() {
	case bankv1.CardState_CARD_STATE_ACTIVE:
		state = bank.StateActive
	case bankv1.CardState_CARD_STATE_FROZEN:
		state = bank.StateFrozen
	default:
		return nil, bank.Errorf(bank.Invalid, "a card can be set active or frozen, not %v", req.GetState())
	}
	i, err := bank.CustomerIndex(req.GetCustomerId())
	if err != nil {
		return nil, bank.Wrap(err, "set card state")
	}
	account := bank.LimitAccount(i)
	card, err := s.cards.Account(ctx, account)
	if err != nil {
		// Nothing has been changed yet.
		return nil, bank.Errorf(bank.Unavailable, "read card of %s: %w", req.GetCustomerId(), err)
	}
	if card.GetState() == bank.StateExpired {
		return nil, bank.Errorf(bank.Forbidden, "the card of %s has expired", req.GetCustomerId())
	}
	if _, err := s.cards.Apply(ctx, &bookv1.Operation{
		Key:          req.GetIdempotencyKey(),
		Kind:         bookv1.OperationKind_OPERATION_KIND_SET_STATE,
		DebitAccount: account,
		State:        state,
	}); err != nil {
		return nil, bank.Wrap(err, "set card of %s %s", req.GetCustomerId(), state)
	}
	return &bankv1.SetCardStateResponse{State: req.GetState()}, nil
}
