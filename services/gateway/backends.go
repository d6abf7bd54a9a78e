package gateway

import (
	"context"

	"breakbank/platform/rpc"
	bankv1 "breakbank/proto/bank/v1"
	"breakbank/services/bank"
	"breakbank/services/gateway/graph"
)

// backends are the services behind the fields, found by name through the
// node's router. Reads may be retried by whoever loses one; writes carry their
// idempotency key, so that a retry settles them and never repeats them.
type backends struct{ dialer *rpc.Dialer }

func (b backends) balance(ctx context.Context, customerID string) (*graph.Balance, error) {
	id, err := accountOf(customerID)
	if err != nil {
		return nil, err
	}
	conn, err := b.dialer.Dial(ctx, "balance")
	if err != nil {
		return nil, err
	}
	got, err := bankv1.NewBalanceServiceClient(conn).GetBalance(rpc.Read(ctx), &bankv1.GetBalanceRequest{Account: id})
	if err != nil {
		return nil, err
	}
	return balanceView(got), nil
}

func (b backends) feed(ctx context.Context, customerID string, limit *int64) ([]*graph.FeedEntry, error) {
	id, err := accountOf(customerID)
	if err != nil {
		return nil, err
	}
	n := int64(maxFeed)
	if limit != nil {
		n = min(n, *limit)
	}
	if n < 1 {
		return nil, bank.Errorf(bank.Invalid, "the limit of a feed must be at least 1")
	}
	conn, err := b.dialer.Dial(ctx, "feed")
	if err != nil {
		return nil, err
	}
	got, err := bankv1.NewFeedServiceClient(conn).ListEntries(rpc.Read(ctx), &bankv1.ListEntriesRequest{Account: id, Limit: int32(n)})
	if err != nil {
		return nil, err
	}
	return feedView(got.GetEntries()), nil
}

func (b backends) card(ctx context.Context, customerID string) (*graph.Card, error) {
	conn, err := b.dialer.Dial(ctx, "cardauth")
	if err != nil {
		return nil, err
	}
	got, err := bankv1.NewCardAuthServiceClient(conn).GetCard(rpc.Read(ctx), &bankv1.GetCardRequest{CustomerId: customerID})
	if err != nil {
		return nil, err
	}
	return cardView(got)
}

func (b backends) pay(ctx context.Context, input graph.PayInput) (*graph.Payment, error) {
	id, err := accountOf(input.CustomerID)
	if err != nil {
		return nil, err
	}
	if input.IdempotencyKey == "" {
		return nil, errNoKey
	}
	conn, err := b.dialer.Dial(ctx, "payments")
	if err != nil {
		return nil, err
	}
	got, err := bankv1.NewPaymentsServiceClient(conn).SendOut(rpc.WithKey(ctx, input.IdempotencyKey), &bankv1.SendOutRequest{
		IdempotencyKey:  input.IdempotencyKey,
		FromAccount:     id,
		ToSortCode:      input.ToSortCode,
		ToAccountNumber: input.ToAccountNumber,
		AmountMinor:     input.AmountMinor,
		Reference:       input.Reference,
	})
	if err != nil {
		return nil, err
	}
	return paymentView(got.GetRefusal()), nil
}

// setCardState freezes or unfreezes, then reads the card back.
func (b backends) setCardState(ctx context.Context, key, customerID string, state bankv1.CardState) (*graph.Card, error) {
	if _, err := accountOf(customerID); err != nil {
		return nil, err
	}
	if key == "" {
		return nil, errNoKey
	}
	conn, err := b.dialer.Dial(ctx, "cardauth")
	if err != nil {
		return nil, err
	}
	_, err = bankv1.NewCardAuthServiceClient(conn).SetCardState(rpc.WithKey(ctx, key), &bankv1.SetCardStateRequest{
		IdempotencyKey: key,
		CustomerId:     customerID,
		State:          state,
	})
	if err != nil {
		return nil, err
	}
	card, err := b.card(ctx, customerID)
	if err != nil {
		// The write has happened, so the code must not be one that denies it.
		return nil, bank.Errorf(bank.OutcomeUnknown, "the card's state was set but cannot be read back, send the same key again: %v", err)
	}
	return card, nil
}

var errNoKey = bank.Errorf(bank.Invalid, "idempotencyKey must not be empty")
