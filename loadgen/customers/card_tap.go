package customers

import (
	"breakbank/loadgen"
	"breakbank/loadgen/transport"
	bankv1 "breakbank/proto/bank/v1"
)

// cardTap pays with a current-account card: cardnet, cardauth, ledger.
var cardTap = loadgen.Step{
	Build: func(v *loadgen.Visit, c *transport.Call) error {
		customer, err := who(v)
		if err != nil {
			return err
		}
		return buildTap(v, c, customer.CardNumber)
	},
	Judge: judgeTap,
}

var authoriseHead = transport.Head{Path: bankv1.CardNetService_Authorise_FullMethodName, Authority: cardNetName}

// buildTap makes the 0100 of the card network.
func buildTap(v *loadgen.Visit, c *transport.Call, cardNumber string) error {
	r := &scratchOf(v).authorise
	r.IdempotencyKey = v.Key
	r.CardNumber = cardNumber
	r.AmountMinor = int64(v.Arrival.AmountMinor)
	r.Merchant = merchant(v.Arrival.Counterparty)
	r.TransmittedAt.Seconds, r.TransmittedAt.Nanos = v.Intended.Unix(), int32(v.Intended.Nanosecond())
	return callGRPC(v, c, &authoriseHead, TargetCardNet, r)
}

// judgeTap reads the 0110.
func judgeTap(v *loadgen.Visit, c *transport.Call) loadgen.Decision {
	reply := &scratchOf(v).authorised
	if d, ok := readGRPC(v, c, reply); !ok {
		return d
	}
	return judgeCard(reply.GetResponseCode(), reply.GetDecidedBy())
}

// standin is what decided_by says when the fallback answered.
const standin = "standin"

// judgeCard classifies the answer of the card network's edge. Whatever stand-in
// decides is degraded, a no of it too: the customer got an answer from a
// fallback, and the response code still tells the two apart.
func judgeCard(responseCode, decidedBy string) loadgen.Decision {
	d := loadgen.Decision{Code: responseCode, Standin: decidedBy == standin}
	switch responseCode {
	case "00":
		d.Outcome = loadgen.OK
	case "05", "14", "51", "54", "61":
		d.Outcome = loadgen.Declined
	default: // 91 issuer inoperative, 96 system error, and what no issuer may say.
		d.Outcome = loadgen.Failed
		return d
	}
	if d.Standin {
		d.Outcome = loadgen.Degraded
	}
	return d
}
