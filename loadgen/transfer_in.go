package loadgen

import (
	"context"

	bankv1 "breakbank/proto/bank/v1"
)

// performTransferIn receives money over Faster Payments: fps, payments, ledger.
func performTransferIn(ctx context.Context, e *edges, v *visit) Decision {
	r := &v.receive
	r.IdempotencyKey = v.key
	r.ToAccount = v.customer.Account
	r.AmountMinor = int64(v.arrival.AmountMinor)
	r.Reference = sender(v.arrival.Counterparty)
	d, ok := v.callGRPC(ctx, pick(e.fps, v), bankv1.FasterPaymentsService_Receive_FullMethodName, r, &v.received)
	if !ok {
		return d
	}
	return classifyReceive(v.received.GetRefusal(), v.received.GetQueued())
}
