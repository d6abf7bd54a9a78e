package gateway

import (
	"context"

	bankv1 "breakbank/proto/bank/v1"
	"breakbank/services/bank"
	"breakbank/services/gateway/graph"
)

// maxFeed is how many entries of an account there are to be had; the feed
// keeps no more.
const maxFeed = 20

// root is the table of resolvers that the generated executor calls. Fields
// that have a resolver run side by side, and one that fails is null with an
// error of its own.
type root struct{ backends backends }

func (r root) Query() graph.QueryResolver       { return query(r) }
func (r root) Account() graph.AccountResolver   { return account(r) }
func (r root) Customer() graph.CustomerResolver { return customer(r) }
func (r root) Mutation() graph.MutationResolver { return mutation(r) }

// query finds who is meant; what is asked about them is resolved below.
type query struct{ backends backends }

func (query) Account(_ context.Context, customerID string) (*graph.Account, error) {
	if _, err := accountOf(customerID); err != nil {
		return nil, err
	}
	return &graph.Account{CustomerID: customerID}, nil
}

func (query) Customer(_ context.Context, id string) (*graph.Customer, error) {
	if _, err := accountOf(id); err != nil {
		return nil, err
	}
	return &graph.Customer{ID: id}, nil
}

type account struct{ backends backends }

func (a account) Balance(ctx context.Context, of *graph.Account) (*graph.Balance, error) {
	return a.backends.balance(ctx, of.CustomerID)
}

func (a account) Feed(ctx context.Context, of *graph.Account, limit *int64) ([]*graph.FeedEntry, error) {
	return a.backends.feed(ctx, of.CustomerID, limit)
}

type customer struct{ backends backends }

func (c customer) Balance(ctx context.Context, of *graph.Customer) (*graph.Balance, error) {
	return c.backends.balance(ctx, of.ID)
}

func (c customer) Feed(ctx context.Context, of *graph.Customer, limit *int64) ([]*graph.FeedEntry, error) {
	return c.backends.feed(ctx, of.ID, limit)
}

func (c customer) Card(ctx context.Context, of *graph.Customer) (*graph.Card, error) {
	return c.backends.card(ctx, of.ID)
}

type mutation struct{ backends backends }

func (m mutation) Pay(ctx context.Context, input graph.PayInput) (*graph.Payment, error) {
	return m.backends.pay(ctx, input)
}

func (m mutation) FreezeCard(ctx context.Context, input graph.FreezeCardInput) (*graph.Card, error) {
	return m.backends.setCardState(ctx, input.IdempotencyKey, input.CustomerID, bankv1.CardState_CARD_STATE_FROZEN)
}

func (m mutation) UnfreezeCard(ctx context.Context, input graph.UnfreezeCardInput) (*graph.Card, error) {
	return m.backends.setCardState(ctx, input.IdempotencyKey, input.CustomerID, bankv1.CardState_CARD_STATE_ACTIVE)
}

// accountOf is the current account of a customer.
func accountOf(customerID string) (string, error) {
	i, err := bank.CustomerIndex(customerID)
	if err != nil {
		return "", err
	}
	return bank.CurrentAccount(i), nil
}
