package prepaid

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"

	"google.golang.org/protobuf/proto"

	"breakbank/platform/book"
	bankv1 "breakbank/proto/bank/v1"
	bookv1 "breakbank/proto/book/v1"
	"breakbank/services/bank"
)

type service struct {
	bankv1.UnimplementedPrepaidServiceServer
	store book.Store
}

// Authorise decides a payment by holding the money: 14 no such card, 05
// frozen, 51 insufficient funds, 00 approved; prepaid cards do not expire. 96
// says that the payment has been reversed and can no longer be approved. The
// same key gets the same answer.
func (s *service) Authorise(ctx context.Context, req *bankv1.AuthoriseRequest) (*bankv1.AuthoriseResponse, error) {
	if err := bank.CheckPayment(req); err != nil {
		return nil, err
	}
	key := req.GetIdempotencyKey()
	i, ours := cardIndex(req.GetCardNumber())
	if !ours {
		return answer(bank.NoSuchCard), nil
	}
	hold := &bookv1.Operation{
		Key:          key,
		Kind:         bookv1.OperationKind_OPERATION_KIND_HOLD,
		DebitAccount: bank.PrepaidAccount(i),
		AmountMinor:  req.GetAmountMinor(),
		HoldKey:      key,
		Reference:    req.GetMerchant(),
	}
	result, err := s.store.Apply(ctx, hold)
	if err != nil {
		return nil, bank.Wrap(err, "authorise %s: hold in %s", key, hold.GetDebitAccount())
	}
	code := bank.ResponseForRefusal(bank.RefusalFromBook(result.Refusal))
	if result.Replayed && code == bank.Approved {
		reversed, err := s.reversed(ctx, hold)
		if err != nil {
			return nil, bank.Wrap(err, "authorise %s: look for its hold", key)
		}
		if reversed {
			code = bank.SystemError
		}
	}
	return answer(code), nil
}

// reversed says that a hold which was made has been given back. To its own key
// the book only repeats the first answer; so the same hold is asked for under
// another key, which the book finds invalid for as long as there is the first.
func (s *service) reversed(ctx context.Context, hold *bookv1.Operation) (bool, error) {
	again := proto.CloneOf(hold)
	again.Key = fmt.Sprintf("%s:%016x", bank.RetakeKey(hold.GetKey()), rand.Uint64())
	result, err := s.store.Apply(ctx, again)
	if errors.Is(err, book.ErrInvalid) {
		return false, nil
	}
	return result.Refusal == bookv1.Refusal_REFUSAL_RELEASED, err
}

// cardIndex says whose prepaid card a number is, if it is one.
func cardIndex(number string) (i int, ours bool) {
	i, prepaid, err := bank.ParseCard(number)
	return i, err == nil && prepaid
}

func answer(code string) *bankv1.AuthoriseResponse {
	return &bankv1.AuthoriseResponse{ResponseCode: code, DecidedBy: serviceName}
}

// Reverse undoes an authorisation; one that has not arrived yet is refused
// when it does. Answered 00 it is done for good; it may be repeated at will.
func (s *service) Reverse(ctx context.Context, req *bankv1.ReverseRequest) (*bankv1.ReverseResponse, error) {
	if err := bank.CheckReversal(req); err != nil {
		return nil, err
	}
	key := req.GetIdempotencyKey()
	i, ours := cardIndex(req.GetCardNumber())
	if !ours {
		return &bankv1.ReverseResponse{ResponseCode: bank.NoSuchCard}, nil
	}
	_, err := s.store.Apply(ctx, &bookv1.Operation{
		Key:          bank.ReversalKey(key),
		Kind:         bookv1.OperationKind_OPERATION_KIND_RELEASE,
		DebitAccount: bank.PrepaidAccount(i),
		HoldKey:      key,
	})
	if err != nil {
		return nil, bank.Wrap(err, "reverse %s", key)
	}
	return &bankv1.ReverseResponse{ResponseCode: bank.Approved}, nil
}
