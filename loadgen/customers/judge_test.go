package customers

import (
	"testing"

	"breakbank/loadgen"
	bankv1 "breakbank/proto/bank/v1"
)

func TestJudgeCard(t *testing.T) {
	for _, c := range []struct {
		code, by string
		want     loadgen.Outcome
	}{
		{"00", "cardauth", loadgen.OK},
		{"00", "prepaid", loadgen.OK},
		{"00", "standin", loadgen.Degraded},
		{"05", "cardauth", loadgen.Declined},
		{"14", "cardauth", loadgen.Declined},
		{"51", "prepaid", loadgen.Declined},
		{"54", "cardauth", loadgen.Declined},
		{"61", "cardauth", loadgen.Declined},
		{"51", "standin", loadgen.Degraded},
		{"91", "", loadgen.Failed},
		{"91", "standin", loadgen.Failed},
		{"96", "cardauth", loadgen.Failed},
		{"", "", loadgen.Failed},
		{"99", "cardauth", loadgen.Failed},
	} {
		d := judgeCard(c.code, c.by)
		if d.Outcome != c.want || d.Code != c.code || d.Standin != (c.by == "standin") {
			t.Errorf("%q by %q: %+v, want %v", c.code, c.by, d, c.want)
		}
	}
}

func TestJudgeReceive(t *testing.T) {
	for _, c := range []struct {
		refusal bankv1.Refusal
		queued  bool
		want    loadgen.Decision
	}{
		{0, false, loadgen.Decision{Outcome: loadgen.OK, Code: "OK"}},
		{0, true, loadgen.Decision{Outcome: loadgen.Degraded, Code: "OK", Queued: true}},
		{bankv1.Refusal_REFUSAL_NO_SUCH_ACCOUNT, false, loadgen.Decision{Outcome: loadgen.Declined, Code: "NO_SUCH_ACCOUNT"}},
		{bankv1.Refusal_REFUSAL_FROZEN, true, loadgen.Decision{Outcome: loadgen.Declined, Code: "FROZEN"}},
	} {
		if got := judgeReceive(c.refusal, c.queued); got != c.want {
			t.Errorf("%v queued %v: %+v, want %+v", c.refusal, c.queued, got, c.want)
		}
	}
}

func TestJudgeGraphQL(t *testing.T) {
	const (
		balance = `"balance":{"balanceMinor":5,"availableMinor":0}`
		card    = `"card":{"numberMasked":"x","state":"ACTIVE","dailyLimitRemainingMinor":1}`
	)
	refresh := func(r graphQLReply) loadgen.Decision { return judgeQuery(r.Data.Account.complete(), r.Errors) }
	cops := func(r graphQLReply) loadgen.Decision { return judgeQuery(r.Data.Customer.complete(), r.Errors) }
	pay := func(r graphQLReply) loadgen.Decision { return judgePayment(r.Data.Pay, r.Errors) }
	failure := func(code string) string {
		return `,"errors":[{"message":"no","path":["account","feed"],"extensions":{"code":"` + code + `"}}]`
	}
	const missing, lost = loadgen.CodeMissingField, loadgen.CodeLost
	for _, c := range []struct {
		judge func(graphQLReply) loadgen.Decision
		body  string
		want  loadgen.Outcome
		code  string
	}{
		{refresh, `{"data":{"account":{` + balance + `,"feed":[]}}}`, loadgen.OK, "OK"},
		{refresh, `{"data":{"account":{` + balance + `,"feed":[{"sequence":1,"at":"x"}]}}}`, loadgen.OK, "OK"},
		{refresh, `{"data":{"account":{` + balance + `,"feed":null}}` + failure("UNAVAILABLE") + `}`, loadgen.Failed, "UNAVAILABLE"},
		{refresh, `{"data":{"account":{` + balance + `}}}`, loadgen.Failed, missing},
		{refresh, `{"data":{"account":{"balance":{},"feed":[]}}}`, loadgen.Failed, missing},
		{refresh, `{"data":null}`, loadgen.Failed, missing},
		{cops, `{"data":{"customer":{"id":"c1",` + balance + `,"feed":[],` + card + `}}}`, loadgen.OK, "OK"},
		{cops, `{"data":{"customer":{"id":"c1",` + balance + `,"feed":[],"card":null}}` + failure("DEADLINE_EXCEEDED") + `}`, loadgen.Failed, "DEADLINE_EXCEEDED"},
		{pay, `{"data":{"pay":{"status":"ACCEPTED"}}}`, loadgen.OK, "OK"},
		{pay, `{"data":{"pay":{"status":"DECLINED","declineReason":"51"}}}`, loadgen.Declined, "51"},
		{pay, `{"data":null` + failure("UNAVAILABLE") + `}`, loadgen.Failed, "UNAVAILABLE"},
		{pay, `{"data":null` + failure("ABORTED") + `}`, loadgen.Unknown, "ABORTED"},
		{pay, `{"data":null` + failure("CANCELLED") + `}`, loadgen.Unknown, "CANCELLED"},
		{pay, `{"data":null` + failure("INTERNAL") + `}`, loadgen.Unknown, "INTERNAL"},
		{pay, `{"data":null,"errors":[{"message":"no"}]}`, loadgen.Unknown, "UNKNOWN"},
		{pay, `{"data":null}`, loadgen.Unknown, missing},
		{pay, `{"data":{"pay":{"status":"LATER"}}}`, loadgen.Unknown, lost},
	} {
		reply, _, ok := parseReply(true, []byte(c.body))
		if !ok {
			t.Fatalf("%s cannot be read", c.body)
		}
		if d := c.judge(reply); d.Outcome != c.want || d.Code != c.code {
			t.Errorf("%s: %+v, want %v %s", c.body, d, c.want, c.code)
		}
	}
	if _, d, ok := parseReply(true, []byte("<html>")); ok || d.Outcome != loadgen.Unknown {
		t.Errorf("a payment answered with HTML: %+v", d)
	}
	if _, d, ok := parseReply(false, nil); ok || d.Outcome != loadgen.Failed {
		t.Errorf("a read answered with nothing: %+v", d)
	}
}

// TestJudgeStatus: a payment that a gateway refused unread has failed; one that
// it broke over may have happened.
func TestJudgeStatus(t *testing.T) {
	for status, want := range map[int]loadgen.Outcome{
		503: loadgen.Failed, 422: loadgen.Failed, 400: loadgen.Failed,
		500: loadgen.Unknown, 502: loadgen.Unknown, 302: loadgen.Unknown,
	} {
		if got := judgeStatus(true, status, nil); got.Outcome != want {
			t.Errorf("HTTP %d: %+v, want %v", status, got, want)
		}
		if got := judgeStatus(false, status, make([]byte, 10_000)); got.Outcome != loadgen.Failed || len(got.Err) > errBytes {
			t.Errorf("HTTP %d to a read: %+v", status, got)
		}
	}
}
