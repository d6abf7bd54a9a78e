package customers

import (
	"strconv"

	"breakbank/loadgen"
	"breakbank/loadgen/transport"
)

// transferOut sends money from the app: gateway, payments, ledger.
var transferOut = loadgen.Step{Build: buildTransferOut, Judge: judgeTransferOut}

// buildTransferOut writes the request by hand: every value is a number, or text
// of the generator's own that needs no escaping. The query is always the same,
// and what differs is a variable, so that the gateway can cache its parsing.
func buildTransferOut(v *loadgen.Visit, c *transport.Call) error {
	customer, err := who(v)
	if err != nil {
		return err
	}
	sortCode, accountNumber := payee(v.Arrival.Counterparty)
	b := append(c.Buffer(), `{"query":"mutation Pay($input:PayInput!){pay(input:$input){status declineReason}}","variables":{"input":{"idempotencyKey":"`...)
	b = append(b, v.Key...)
	b = append(b, `","customerId":"`...)
	b = append(b, customer.ID...)
	b = append(b, `","toSortCode":"`...)
	b = append(b, sortCode...)
	b = append(b, `","toAccountNumber":"`...)
	b = append(b, accountNumber...)
	b = append(b, `","amountMinor":`...)
	b = strconv.AppendInt(b, int64(v.Arrival.AmountMinor), 10)
	callGraphQL(v, c, append(b, `,"reference":"Sent from the app"}}}`...))
	return nil
}

func judgeTransferOut(_ *loadgen.Visit, c *transport.Call) loadgen.Decision {
	reply, d, ok := readGraphQL(true, c)
	if !ok {
		return d
	}
	return judgePayment(reply.Data.Pay, reply.Errors)
}
