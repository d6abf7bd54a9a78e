package cardnet

import (
	"context"
	"testing"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"breakbank/services/bank"
)

func TestVerdicts(t *testing.T) {
	failed := func(code codes.Code) reply { return reply{err: status.Error(code, "")} }
	for _, c := range []struct {
		name    string
		reply   reply
		gone    bool
		primary verdict
		standIn verdict
	}{
		{
			name: "approved", reply: reply{code: bank.Approved},
			primary: verdict{answer: bank.Approved}, standIn: verdict{answer: bank.Approved},
		},
		{
			name: "declined", reply: reply{code: bank.InsufficientFunds},
			primary: verdict{answer: bank.InsufficientFunds}, standIn: verdict{answer: bank.InsufficientFunds},
		},
		{
			name: "reversed before", reply: reply{code: bank.SystemError},
			primary: verdict{askStandIn: true}, standIn: verdict{answer: bank.IssuerInoperative},
		},
		{
			name: "never executed", reply: failed(codes.Unavailable),
			primary: verdict{askStandIn: true}, standIn: verdict{answer: bank.IssuerInoperative},
		},
		{
			name: "out of time", reply: failed(codes.DeadlineExceeded),
			primary: verdict{askStandIn: true, reverse: true},
			standIn: verdict{answer: bank.IssuerInoperative, reverse: true},
		},
		{
			name: "answer lost", reply: failed(codes.Aborted),
			primary: verdict{askStandIn: true, reverse: true},
			standIn: verdict{answer: bank.IssuerInoperative, reverse: true},
		},
		{
			name: "key used for another payment", reply: failed(codes.AlreadyExists),
			primary: verdict{answer: bank.SystemError}, standIn: verdict{answer: bank.IssuerInoperative},
		},
		{
			name: "approved, too late", reply: reply{code: bank.Approved}, gone: true,
			primary: verdict{reverse: true, late: true}, standIn: verdict{reverse: true, late: true},
		},
		{
			name: "declined, too late", reply: reply{code: bank.OverLimit}, gone: true,
		},
		{
			name: "cancelled by the card network", reply: reply{err: context.Canceled}, gone: true,
			primary: verdict{reverse: true}, standIn: verdict{reverse: true},
		},
		{
			name: "never executed, and nobody waits", reply: failed(codes.Unavailable), gone: true,
		},
	} {
		if got := judgePrimary(c.reply, c.gone); got != c.primary {
			t.Errorf("%s: of the primary %+v, want %+v", c.name, got, c.primary)
		}
		if got := judgeStandIn(c.reply, c.gone); got != c.standIn {
			t.Errorf("%s: of stand-in %+v, want %+v", c.name, got, c.standIn)
		}
	}
}
