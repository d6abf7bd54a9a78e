package customers

import (
	"strings"

	"breakbank/loadgen"
	"breakbank/loadgen/transport"
	bankv1 "breakbank/proto/bank/v1"
)

// transferIn receives money over Faster Payments: fps, payments, ledger.
var transferIn = loadgen.Step{Build: buildTransferIn, Judge: judgeTransferIn}

var receiveHead = transport.Head{Path: bankv1.FasterPaymentsService_Receive_FullMethodName, Authority: fpsName}

func buildTransferIn(v *loadgen.Visit, c *transport.Call) error {
	customer, err := who(v)
	if err != nil {
		return err
	}
	r := &scratchOf(v).receive
	r.IdempotencyKey = v.Key
	r.ToAccount = customer.Account
	r.AmountMinor = int64(v.Arrival.AmountMinor)
	r.Reference = sender(v.Arrival.Counterparty)
	return callGRPC(v, c, &receiveHead, TargetFPS, r)
}

func judgeTransferIn(v *loadgen.Visit, c *transport.Call) loadgen.Decision {
	reply := &scratchOf(v).received
	if d, ok := readGRPC(v, c, reply); !ok {
		return d
	}
	return judgeReceive(reply.GetRefusal(), reply.GetQueued())
}

// judgeReceive classifies the answer of the Faster Payments edge.
func judgeReceive(refusal bankv1.Refusal, queued bool) loadgen.Decision {
	switch {
	case refusal != bankv1.Refusal_REFUSAL_UNSPECIFIED:
		return loadgen.Decision{Outcome: loadgen.Declined, Code: strings.TrimPrefix(refusal.String(), "REFUSAL_")}
	case queued:
		return loadgen.Decision{Outcome: loadgen.Degraded, Code: codeOK, Queued: true}
	default:
		return loadgen.Decision{Outcome: loadgen.OK, Code: codeOK}
	}
}
