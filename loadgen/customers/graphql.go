package customers

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"
	"time"

	"golang.org/x/net/http2/hpack"
	"google.golang.org/grpc/codes"

	"breakbank/loadgen"
	"breakbank/loadgen/transport"
)

// graphQLReplyMaxBytes bounds a gateway's reply; a feed of ten entries is below
// 2 KiB.
const graphQLReplyMaxBytes = 256 << 10

// timeoutName is the header that tells the gateway how long the phone will
// still wait, in ms.
const timeoutName = "bb-timeout-ms"

// graphQLHead has the address itself as authority, as a phone's request has.
var graphQLHead = transport.Head{Kind: transport.HTTP, Path: "/graphql", ContentType: "application/json"}

// callGraphQL fills in a call of a body that was built in c.Buffer.
func callGraphQL(v *loadgen.Visit, c *transport.Call, body []byte) {
	s := scratchOf(v)
	c.Head, c.Target, c.Shard, c.ReplyMax = &graphQLHead, TargetGateway, int(v.Arrival.Customer), graphQLReplyMaxBytes
	left := max(time.Until(c.Deadline).Milliseconds(), 1)
	s.headers[0] = hpack.HeaderField{Name: timeoutName, Value: strconv.FormatInt(left, 10)}
	c.Extra = s.headers[:]
	c.SetRequest(body)
}

// readGraphQL reads an answer. With ok it is in reply; else the decision stands.
func readGraphQL(write bool, c *transport.Call) (reply graphQLReply, d loadgen.Decision, ok bool) {
	if c.Status != http.StatusOK {
		return reply, judgeStatus(write, c.Status, c.Reply), false
	}
	return parseReply(write, c.Reply)
}

// errBytes is how much of an error's body is looked at; a record keeps less.
const errBytes = 256

// judgeStatus classifies an HTTP status that is not 200: the gateway is not
// there (503), refused the request unread (4xx), or broke over it.
func judgeStatus(write bool, status int, body []byte) loadgen.Decision {
	text := fmt.Sprintf("HTTP %d: %s", status, body[:min(len(body), errBytes)])
	switch {
	case status == http.StatusServiceUnavailable:
		return loadgen.Refused(write, loadgen.CodeName(codes.Unavailable), text)
	case status >= 400 && status < 500:
		return loadgen.Refused(write, loadgen.CodeName(codes.InvalidArgument), text)
	default:
		return loadgen.Garbled(write, loadgen.CodeName(codes.Internal), text)
	}
}

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
		return loadgen.CodeName(codes.Unknown)
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
func parseReply(write bool, body []byte) (reply graphQLReply, d loadgen.Decision, ok bool) {
	if err := json.Unmarshal(body, &reply); err != nil {
		return reply, loadgen.Garbled(write, loadgen.CodeLost, "reply is not GraphQL: "+err.Error()), false
	}
	return reply, loadgen.Decision{}, true
}

// judgeQuery classifies the answer to a read. All fields asked for must be
// there: a screen without its balance is a failure to whoever looks at it.
func judgeQuery(complete bool, errs []graphQLError) loadgen.Decision {
	switch {
	case len(errs) > 0:
		return loadgen.Refused(false, errs[0].code(), errs[0].Message)
	case !complete:
		return loadgen.Garbled(false, loadgen.CodeMissingField, "the answer lacks a field, without an error")
	default:
		return loadgen.Decision{Outcome: loadgen.OK, Code: codeOK}
	}
}

// judgePayment classifies the answer to a payment.
func judgePayment(pay *paymentReply, errs []graphQLError) loadgen.Decision {
	switch {
	case len(errs) > 0:
		return loadgen.Refused(true, errs[0].code(), errs[0].Message)
	case pay == nil:
		return loadgen.Garbled(true, loadgen.CodeMissingField, "the answer says nothing of the payment")
	case pay.Status == "ACCEPTED":
		return loadgen.Decision{Outcome: loadgen.OK, Code: codeOK}
	case pay.Status == "DECLINED":
		return loadgen.Decision{Outcome: loadgen.Declined, Code: pay.DeclineReason}
	default:
		return loadgen.Garbled(true, loadgen.CodeLost, "no such payment status: "+pay.Status)
	}
}
