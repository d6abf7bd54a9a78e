package loadgen

import (
	"context"
	"strconv"
)

// performTransferOut sends money from the app: gateway, payments, ledger.
func performTransferOut(ctx context.Context, e *edges, v *visit) Decision {
	d, ok := v.callGraphQL(ctx, e, transferOutBody(v))
	if !ok {
		return d
	}
	reply, d, ok := parseReply(v.write, v.reply)
	if !ok {
		return d
	}
	return classifyPayment(reply.Data.Pay, reply.Errors)
}

// transferOutBody writes the request by hand: every value is a number, or text
// of the generator's own that needs no escaping. The query is always the same,
// and what differs is a variable, so that the gateway can cache its parsing.
func transferOutBody(v *visit) []byte {
	sortCode, accountNumber := payee(v.arrival.Counterparty)
	b := make([]byte, 0, 384)
	b = append(b, `{"query":"mutation Pay($input:PayInput!){pay(input:$input){status declineReason}}","variables":{"input":{"idempotencyKey":"`...)
	b = append(b, v.key...)
	b = append(b, `","customerId":"`...)
	b = append(b, v.customer.ID...)
	b = append(b, `","toSortCode":"`...)
	b = append(b, sortCode...)
	b = append(b, `","toAccountNumber":"`...)
	b = append(b, accountNumber...)
	b = append(b, `","amountMinor":`...)
	b = strconv.AppendInt(b, int64(v.arrival.AmountMinor), 10)
	return append(b, `,"reference":"Sent from the app"}}}`...)
}
