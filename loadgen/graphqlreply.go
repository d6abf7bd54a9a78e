package loadgen

import (
	"encoding/json"

	"google.golang.org/grpc/codes"
)

// graphQLError is an error of a GraphQL reply; the gateway puts the gRPC code's
// name in the extensions.
type graphQLError struct {
	Message    string `json:"message"`
	Extensions struct {
		Code string `json:"code"`
	} `json:"extensions"`
}

// code is the error's code. One without belongs to the gateway itself, which
// does not know either.
func (e *graphQLError) code() string {
	if e.Extensions.Code == "" {
		return codeNames[codes.Unknown]
	}
	return e.Extensions.Code
}

// The fields of the answers, only as far as the check needs them. A field that
// is null or absent is nil; an empty feed is not.
type (
	balanceReply struct {
		AvailableMinor *int64 `json:"availableMinor"`
	}
	feedReply []struct {
		Sequence int64 `json:"sequence"`
	}
	accountReply struct {
		Balance *balanceReply `json:"balance"`
		Feed    feedReply     `json:"feed"`
	}
	customerReply struct {
		accountReply
		Card *struct {
			State string `json:"state"`
		} `json:"card"`
	}
	paymentReply struct {
		Status        string `json:"status"`
		DeclineReason string `json:"declineReason"`
	}
	graphQLReply struct {
		Data struct {
			Account  *accountReply  `json:"account"`
			Customer *customerReply `json:"customer"`
			Pay      *paymentReply  `json:"pay"`
		} `json:"data"`
		Errors []graphQLError `json:"errors"`
	}
)

func (a *accountReply) complete() bool {
	return a != nil && a.Balance != nil && a.Balance.AvailableMinor != nil && a.Feed != nil
}

func (c *customerReply) complete() bool {
	return c != nil && c.accountReply.complete() && c.Card != nil
}

// parseReply reads a reply; a reply that is no JSON is lost on its client.
func parseReply(write bool, body []byte) (reply graphQLReply, d Decision, ok bool) {
	if err := json.Unmarshal(body, &reply); err != nil {
		return reply, classifyError(write, lost, CodeLost, "reply is not GraphQL: "+err.Error()), false
	}
	return reply, Decision{}, true
}

// classifyQuery classifies the answer to a read. All fields asked for must be
// there: a screen without its balance is a failure to whoever looks at it.
func classifyQuery(complete bool, errs []graphQLError) Decision {
	switch {
	case len(errs) > 0:
		return classifyError(false, refused, errs[0].code(), errs[0].Message)
	case !complete:
		return classifyError(false, refused, CodeMissingField, "the answer lacks a field, without an error")
	default:
		return Decision{Outcome: OK, Code: codeNames[codes.OK]}
	}
}

// classifyPayment classifies the answer to a payment.
func classifyPayment(pay *paymentReply, errs []graphQLError) Decision {
	switch {
	case len(errs) > 0:
		return classifyError(true, refused, errs[0].code(), errs[0].Message)
	case pay == nil:
		return classifyError(true, lost, CodeMissingField, "the answer says nothing of the payment")
	case pay.Status == "ACCEPTED":
		return Decision{Outcome: OK, Code: codeNames[codes.OK]}
	case pay.Status == "DECLINED":
		return Decision{Outcome: Declined, Code: pay.DeclineReason}
	default:
		return classifyError(true, lost, CodeLost, "no such payment status: "+pay.Status)
	}
}
