package cardnet

import (
	"context"
	"time"

	"breakbank/platform/rpc"
	bankv1 "breakbank/proto/bank/v1"
	"breakbank/services/bank"
)

// Names of the processors, as they are found through the router.
const (
	cardauthName = "cardauth"
	prepaidName  = "prepaid"
	standInName  = "standin"
)

// Authorise decides a card payment (0100 -> 0110): the primary first, then,
// when it cannot answer and an operator or the arm has switched it on,
// stand-in. A failure of the bank is an answer too, 91 or 96; an error is for
// a request that is no payment and for a caller that has gone.
func (s *service) Authorise(ctx context.Context, req *bankv1.AuthoriseRequest) (*bankv1.AuthoriseResponse, error) {
	if err := bank.CheckPayment(req); err != nil {
		return nil, err
	}
	primary := s.processorOf(req.GetCardNumber())
	if primary == nil {
		return answer(bank.NoSuchCard, serviceName), nil
	}
	if !s.reversals.reserve() {
		return answer(bank.SystemError, serviceName), nil
	}
	a := attempt{request: req, primary: primary, isUndoing: s.reversals.isUndoing}
	if primary != s.prepaid {
		// Prepaid's balances are its own: stand-in knows nothing of them.
		a.standIn = s.fallback.standIn()
	}
	response, err := a.decide(ctx)
	if len(a.undo) == 0 {
		s.reversals.release()
	} else {
		s.reversals.add(primary.reversals, reversal{
			keys: a.undo, card: req.GetCardNumber(), reason: a.reason, late: a.late, requestID: rpc.RequestID(ctx),
		})
	}
	return response, err
}

// processorOf is the primary for a card, by its BIN; nil when the number is no
// card of ours.
func (s *service) processorOf(cardNumber string) *processor {
	switch _, prepaid, err := bank.ParseCard(cardNumber); {
	case err != nil:
		return nil
	case prepaid:
		return s.prepaid
	default:
		return s.cardauth
	}
}

// attempt is one authorisation on its way through the processors.
type attempt struct {
	request *bankv1.AuthoriseRequest
	primary *processor
	standIn authoriser // nil: nobody stands in

	// isUndoing says that a hold of this payment, sent before, is about to be
	// reversed, so that whoever made it cannot be asked again.
	isUndoing func(holdKey string) bool

	// undo are the keys of holds that may exist though the card network was
	// told of no approval that they are for, and why.
	undo   []string
	reason string
	late   bool
}

func (a *attempt) decide(ctx context.Context) (*bankv1.AuthoriseResponse, error) {
	key := a.request.GetIdempotencyKey()

	// When the budget is spent the call is cancelled rather than left running:
	// work that can no longer be used should stop everywhere. What it did up
	// to then is undone.
	response, first := a.ask(ctx, a.primary.client, primaryBudget, key)
	v := judgePrimary(first, ctx.Err() != nil)
	a.note(v, key, "primary")
	if v.answer != "" {
		return answer(v.answer, decidedBy(response, a.primary.name)), nil
	}
	if !v.askStandIn {
		return nil, gone(ctx)
	}
	if a.standIn == nil {
		return answer(bank.IssuerInoperative, serviceName), nil
	}

	// Stand-in's approval reaches the primary as an advice, whose hold has a
	// key of its own.
	adviceKey := bank.AdviceKey(key)
	response, second := a.ask(ctx, a.standIn, standInBudget, adviceKey)
	v = judgeStandIn(second, ctx.Err() != nil)
	a.note(v, adviceKey, standInName)
	if v.answer == "" {
		return nil, gone(ctx)
	}
	by := decidedBy(response, standInName)
	if second.err != nil {
		by = serviceName // Nobody else has decided.
	}
	return answer(v.answer, by), nil
}

// note keeps what a verdict says must be undone.
func (a *attempt) note(v verdict, holdKey, whose string) {
	switch {
	case v.late:
		a.late, a.reason = true, "late approval of "+whose
	case v.reverse:
		a.reason = "no answer from " + whose
	default:
		return
	}
	a.undo = append(a.undo, holdKey)
}

// ask asks one processor, whose approval makes the hold with the given key,
// within a budget. While that hold is being reversed the answer is what it
// will be afterwards: no longer.
func (a *attempt) ask(ctx context.Context, whom authoriser, budget time.Duration, holdKey string) (*bankv1.AuthoriseResponse, reply) {
	if a.isUndoing(holdKey) {
		return nil, reply{code: bank.SystemError}
	}
	ctx, cancel := context.WithTimeout(ctx, budget)
	defer cancel()
	response, err := whom.Authorise(rpc.WithKey(ctx, a.request.GetIdempotencyKey()), a.request)
	return response, reply{code: response.GetResponseCode(), err: err}
}

// gone is the error for a card network that no longer listens.
func gone(ctx context.Context) error {
	return bank.Wrap(context.Cause(ctx), "the card network gave up")
}

func answer(code, by string) *bankv1.AuthoriseResponse {
	return &bankv1.AuthoriseResponse{ResponseCode: code, DecidedBy: by}
}

// decidedBy is who decided according to the response, or whom we asked.
func decidedBy(response *bankv1.AuthoriseResponse, asked string) string {
	if by := response.GetDecidedBy(); by != "" {
		return by
	}
	return asked
}

// Reverse undoes an authorisation for the card network (0400 -> 0410), whoever
// decided it and whether or not it has arrived yet. Answered 91, nothing is
// promised: the card network repeats its reversal until it is acknowledged.
func (s *service) Reverse(ctx context.Context, req *bankv1.ReverseRequest) (*bankv1.ReverseResponse, error) {
	if err := bank.CheckReversal(req); err != nil {
		return nil, err
	}
	key := req.GetIdempotencyKey()
	to := s.processorOf(req.GetCardNumber())
	if to == nil {
		return &bankv1.ReverseResponse{ResponseCode: bank.NoSuchCard}, nil
	}
	keys := []string{key}
	if to != s.prepaid {
		keys = append(keys, bank.AdviceKey(key))
	}
	for _, k := range keys {
		if err := reverse(ctx, to.client, k, req.GetCardNumber(), req.GetReason()); err != nil {
			s.log.Debug("reversal for the card network failed", "error", err)
			return &bankv1.ReverseResponse{ResponseCode: bank.IssuerInoperative}, nil
		}
	}
	return &bankv1.ReverseResponse{ResponseCode: bank.Approved}, nil
}
