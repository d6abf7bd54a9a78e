package loadgen

import (
	"strings"
	"testing"

	"google.golang.org/grpc/codes"

	bankv1 "breakbank/proto/bank/v1"
)

func TestClassifyCard(t *testing.T) {
	for _, c := range []struct {
		code, by string
		want     Outcome
	}{
		{"00", "cardauth", OK},
		{"00", "prepaid", OK},
		{"00", "standin", Degraded},
		{"05", "cardauth", Declined},
		{"14", "cardauth", Declined},
		{"51", "prepaid", Declined},
		{"54", "cardauth", Declined},
		{"61", "cardauth", Declined},
		{"51", "standin", Degraded},
		{"91", "", Failed},
		{"91", "standin", Failed},
		{"96", "cardauth", Failed},
		{"", "", Failed},
		{"99", "cardauth", Failed},
	} {
		d := classifyCard(c.code, c.by)
		if d.Outcome != c.want || d.Code != c.code || d.Standin != (c.by == "standin") {
			t.Errorf("%q by %q: %+v, want %v", c.code, c.by, d, c.want)
		}
	}
}

func TestClassifyReceive(t *testing.T) {
	for _, c := range []struct {
		refusal bankv1.Refusal
		queued  bool
		want    Decision
	}{
		{0, false, Decision{Outcome: OK, Code: "OK"}},
		{0, true, Decision{Outcome: Degraded, Code: "OK", Queued: true}},
		{bankv1.Refusal_REFUSAL_NO_SUCH_ACCOUNT, false, Decision{Outcome: Declined, Code: "NO_SUCH_ACCOUNT"}},
		{bankv1.Refusal_REFUSAL_FROZEN, true, Decision{Outcome: Declined, Code: "FROZEN"}},
	} {
		if got := classifyReceive(c.refusal, c.queued); got != c.want {
			t.Errorf("%v queued %v: %+v, want %+v", c.refusal, c.queued, got, c.want)
		}
	}
}

// mayHaveRunByCode decides on every code of gRPC: whether a write that a server
// answered with it may nevertheless have been executed.
var mayHaveRunByCode = map[codes.Code]bool{
	codes.OK:                 true, // An error that says OK contradicts itself.
	codes.Canceled:           true,
	codes.Unknown:            true,
	codes.InvalidArgument:    false,
	codes.DeadlineExceeded:   true,
	codes.NotFound:           false,
	codes.AlreadyExists:      false,
	codes.PermissionDenied:   false,
	codes.ResourceExhausted:  false,
	codes.FailedPrecondition: false,
	codes.Aborted:            true,
	codes.OutOfRange:         false,
	codes.Unimplemented:      false,
	codes.Internal:           true,
	codes.Unavailable:        false,
	codes.DataLoss:           true,
	codes.Unauthenticated:    false,
}

// isCode says whether gRPC defines a code.
func isCode(c codes.Code) bool { return !strings.HasPrefix(c.String(), "Code(") }

func TestEveryCodeIsDecidedOnAndSpelledAsGRPCSpellsIt(t *testing.T) {
	for c := codes.OK; isCode(c); c++ {
		if _, decided := mayHaveRunByCode[c]; !decided {
			t.Errorf("%v is not decided on", c)
		}
		var back codes.Code
		if err := back.UnmarshalJSON([]byte(`"` + codeName(c) + `"`)); err != nil || back != c {
			t.Errorf("%v is called %s, which gRPC reads as %v, %v", c, codeName(c), back, err)
		}
	}
	if codeName(99) != "UNKNOWN" {
		t.Errorf("code 99 is called %s", codeName(99))
	}
}

// A read always fails; a write fails only where it certainly was not executed.
func TestClassifyError(t *testing.T) {
	for c := range mayHaveRunByCode {
		for f := unsent; f <= lost; f++ {
			for _, write := range []bool{false, true} {
				want := Failed
				if write && (f == lost || f == refused && mayHaveRunByCode[c]) {
					want = Unknown
				}
				if got := classifyError(write, f, codeName(c), "x"); got.Outcome != want || got.Code != codeName(c) {
					t.Errorf("write %v, fate %d, %v: %+v, want %v", write, f, c, got, want)
				}
			}
		}
	}
	// What is no code of gRPC promises nothing.
	if got := classifyError(true, refused, "OUT_OF_PAPER", "x"); got.Outcome != Unknown {
		t.Errorf("a write refused with a code that nobody knows: %+v", got)
	}
	long := classifyError(false, lost, CodeLost, strings.Repeat("é", errMaxBytes))
	if len(long.Err) > errMaxBytes {
		t.Errorf("%d bytes of an error are kept", len(long.Err))
	}
}

func TestClassifyGraphQL(t *testing.T) {
	const (
		balance = `"balance":{"balanceMinor":5,"availableMinor":0}`
		card    = `"card":{"numberMasked":"x","state":"ACTIVE","dailyLimitRemainingMinor":1}`
	)
	query := func(customer bool) func(graphQLReply) Decision {
		return func(r graphQLReply) Decision {
			if customer {
				return classifyQuery(r.Data.Customer.complete(), r.Errors)
			}
			return classifyQuery(r.Data.Account.complete(), r.Errors)
		}
	}
	refresh, cops := query(false), query(true)
	pay := func(r graphQLReply) Decision { return classifyPayment(r.Data.Pay, r.Errors) }
	failure := func(code string) string {
		return `,"errors":[{"message":"no","path":["account","feed"],"extensions":{"code":"` + code + `"}}]`
	}
	for _, c := range []struct {
		classify func(graphQLReply) Decision
		body     string
		want     Outcome
		code     string
	}{
		{refresh, `{"data":{"account":{` + balance + `,"feed":[]}}}`, OK, "OK"},
		{refresh, `{"data":{"account":{` + balance + `,"feed":[{"sequence":1,"at":"x"}]}}}`, OK, "OK"},
		{refresh, `{"data":{"account":{` + balance + `,"feed":null}}` + failure("UNAVAILABLE") + `}`, Failed, "UNAVAILABLE"},
		{refresh, `{"data":{"account":{` + balance + `}}}`, Failed, CodeMissingField},
		{refresh, `{"data":{"account":{"balance":{},"feed":[]}}}`, Failed, CodeMissingField},
		{refresh, `{"data":null}`, Failed, CodeMissingField},
		{cops, `{"data":{"customer":{"id":"c1",` + balance + `,"feed":[],` + card + `}}}`, OK, "OK"},
		{cops, `{"data":{"customer":{"id":"c1",` + balance + `,"feed":[],"card":null}}` + failure("DEADLINE_EXCEEDED") + `}`, Failed, "DEADLINE_EXCEEDED"},
		{pay, `{"data":{"pay":{"status":"ACCEPTED"}}}`, OK, "OK"},
		{pay, `{"data":{"pay":{"status":"DECLINED","declineReason":"51"}}}`, Declined, "51"},
		{pay, `{"data":null` + failure("UNAVAILABLE") + `}`, Failed, "UNAVAILABLE"},
		{pay, `{"data":null` + failure("ABORTED") + `}`, Unknown, "ABORTED"},
		{pay, `{"data":null` + failure("CANCELLED") + `}`, Unknown, "CANCELLED"},
		{pay, `{"data":null` + failure("INTERNAL") + `}`, Unknown, "INTERNAL"},
		{pay, `{"data":null,"errors":[{"message":"no"}]}`, Unknown, "UNKNOWN"},
		{pay, `{"data":null}`, Unknown, CodeMissingField},
		{pay, `{"data":{"pay":{"status":"LATER"}}}`, Unknown, CodeLost},
	} {
		reply, _, ok := parseReply(true, []byte(c.body))
		if !ok {
			t.Fatalf("%s cannot be read", c.body)
		}
		if d := c.classify(reply); d.Outcome != c.want || d.Code != c.code {
			t.Errorf("%s: %+v, want %v %s", c.body, d, c.want, c.code)
		}
	}
	if _, d, ok := parseReply(true, []byte("<html>")); ok || d.Outcome != Unknown {
		t.Errorf("a payment answered with HTML: %+v", d)
	}
	if _, d, ok := parseReply(false, nil); ok || d.Outcome != Failed {
		t.Errorf("a read answered with nothing: %+v", d)
	}
}

func TestStatusFate(t *testing.T) {
	for status, want := range map[int]fate{503: refused, 422: refused, 400: refused, 500: lost, 502: lost, 302: lost} {
		if got, _ := statusFate(status); got != want {
			t.Errorf("HTTP %d: fate %d, want %d", status, got, want)
		}
	}
}

func TestNamesRoundTrip(t *testing.T) {
	for j := range Journeys {
		text, err := Journey(j).MarshalText()
		var back Journey
		if err != nil || back.UnmarshalText(text) != nil || back != Journey(j) {
			t.Errorf("journey %d became %q, then %v (%v)", j, text, back, err)
		}
	}
	for o := OK; o <= Unknown; o++ {
		text, err := o.MarshalText()
		var back Outcome
		if err != nil || back.UnmarshalText(text) != nil || back != o {
			t.Errorf("outcome %d became %q, then %v (%v)", o, text, back, err)
		}
	}
	if _, err := Outcome(0).MarshalText(); err == nil {
		t.Error("no outcome can be written")
	}
	if _, err := ParseJourney("lunch"); err == nil || !strings.Contains(err.Error(), "cops_lookup") {
		t.Errorf("an unknown journey gives %v", err)
	}
}
