package loadgen

import (
	"context"

	"google.golang.org/protobuf/types/known/timestamppb"

	bankv1 "breakbank/proto/bank/v1"
)

// performCardTap pays with a current-account card: cardnet, cardauth, ledger.
func performCardTap(ctx context.Context, e *edges, v *visit) Decision {
	return v.tap(ctx, e, v.customer.CardNumber)
}

// tap sends the 0100 of the card network and reads its 0110.
func (v *visit) tap(ctx context.Context, e *edges, cardNumber string) Decision {
	r := &v.authorise
	r.IdempotencyKey = v.key
	r.CardNumber = cardNumber
	r.AmountMinor = int64(v.arrival.AmountMinor)
	r.Merchant = merchant(v.arrival.Counterparty)
	if r.TransmittedAt == nil {
		r.TransmittedAt = &timestamppb.Timestamp{}
	}
	r.TransmittedAt.Seconds, r.TransmittedAt.Nanos = v.intended.Unix(), int32(v.intended.Nanosecond())
	d, ok := v.callGRPC(ctx, pick(e.cardNet, v), bankv1.CardNetService_Authorise_FullMethodName, r, &v.authorised)
	if !ok {
		return d
	}
	return classifyCard(v.authorised.GetResponseCode(), v.authorised.GetDecidedBy())
}
