package ledger

import (
	bankv1 "breakbank/proto/bank/v1"
	bookv1 "breakbank/proto/book/v1"
)

// The requests as operations of the book. The key passes as it is given: who
// makes an operation names it.

func post(req *bankv1.PostRequest) *bookv1.Operation {
	return &bookv1.Operation{
		Key:           req.GetIdempotencyKey(),
		Kind:          bookv1.OperationKind_OPERATION_KIND_POST,
		DebitAccount:  req.GetFromAccount(),
		CreditAccount: req.GetToAccount(),
		AmountMinor:   req.GetAmountMinor(),
		Reference:     req.GetReference(),
	}
}

func hold(req *bankv1.HoldRequest) *bookv1.Operation {
	return &bookv1.Operation{
		Key:          req.GetIdempotencyKey(),
		Kind:         bookv1.OperationKind_OPERATION_KIND_HOLD,
		DebitAccount: req.GetAccount(),
		AmountMinor:  req.GetAmountMinor(),
		Reference:    req.GetReference(),
	}
}

func capture(req *bankv1.CaptureRequest) *bookv1.Operation {
	return &bookv1.Operation{
		Key:           req.GetIdempotencyKey(),
		Kind:          bookv1.OperationKind_OPERATION_KIND_CAPTURE,
		HoldKey:       req.GetHoldKey(),
		CreditAccount: req.GetToAccount(),
	}
}

func release(req *bankv1.ReleaseRequest) *bookv1.Operation {
	return &bookv1.Operation{
		Key:          req.GetIdempotencyKey(),
		Kind:         bookv1.OperationKind_OPERATION_KIND_RELEASE,
		HoldKey:      req.GetHoldKey(),
		DebitAccount: req.GetAccount(),
	}
}

// advice makes its hold, if approved, under its own key, which differs from
// that of the primary's hold for the same payment.
func advice(req *bankv1.ApplyAdviceRequest) *bookv1.Operation {
	return &bookv1.Operation{
		Key:          req.GetIdempotencyKey(),
		Kind:         bookv1.OperationKind_OPERATION_KIND_ADVICE,
		DebitAccount: req.GetAccount(),
		AmountMinor:  req.GetAmountMinor(),
		Decision:     req.GetResponseCode(),
		Reference:    req.GetReference(),
	}
}
