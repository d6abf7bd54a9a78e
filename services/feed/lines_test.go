package feed

import (
	"slices"
	"testing"
	"time"

	"google.golang.org/protobuf/types/known/timestamppb"

	bookv1 "breakbank/proto/book/v1"
)

func TestLinesOf(t *testing.T) {
	const (
		post     = bookv1.OperationKind_OPERATION_KIND_POST
		hold     = bookv1.OperationKind_OPERATION_KIND_HOLD
		capture  = bookv1.OperationKind_OPERATION_KIND_CAPTURE
		release  = bookv1.OperationKind_OPERATION_KIND_RELEASE
		advice   = bookv1.OperationKind_OPERATION_KIND_ADVICE
		setState = bookv1.OperationKind_OPERATION_KIND_SET_STATE
		open     = bookv1.OperationKind_OPERATION_KIND_OPEN
	)
	type shown struct {
		account string
		minor   int64
		kind    string
		text    string
	}
	for _, c := range []struct {
		name    string
		op      *bookv1.Operation
		refusal bookv1.Refusal
		want    []shown
	}{
		{
			name: "transfer in",
			op:   &bookv1.Operation{Kind: post, DebitAccount: "bank:fps", CreditAccount: "acc-00001", AmountMinor: 500, Reference: "Salary"},
			want: []shown{{"acc-00001", 500, KindTransferIn, "Salary"}},
		},
		{
			name: "transfer out",
			op:   &bookv1.Operation{Kind: post, DebitAccount: "acc-00001", CreditAccount: "bank:fps", AmountMinor: 500, Reference: "Rent"},
			want: []shown{{"acc-00001", -500, KindTransferOut, "Rent"}},
		},
		{
			name: "between customers",
			op:   &bookv1.Operation{Kind: post, DebitAccount: "acc-00001", CreditAccount: "acc-00002", AmountMinor: 5, Reference: "Pizza"},
			want: []shown{{"acc-00001", -5, KindTransferOut, "Pizza"}, {"acc-00002", 5, KindTransferIn, "Pizza"}},
		},
		{
			name:    "refused",
			op:      &bookv1.Operation{Kind: post, DebitAccount: "acc-00001", CreditAccount: "bank:fps", AmountMinor: 500},
			refusal: bookv1.Refusal_REFUSAL_INSUFFICIENT_FUNDS,
		},
		{
			name: "card payment",
			op:   &bookv1.Operation{Kind: hold, DebitAccount: "acc-00001", AmountMinor: 300, Reference: "Tea"},
			want: []shown{{"acc-00001", -300, KindCardPayment, "Tea"}},
		},
		{
			name: "its capture",
			op:   &bookv1.Operation{Kind: capture, DebitAccount: "acc-00001", CreditAccount: "bank:scheme", AmountMinor: 300, HoldKey: "k"},
		},
		{
			name: "its reversal",
			op:   &bookv1.Operation{Kind: release, DebitAccount: "acc-00001", AmountMinor: 300, HoldKey: "k"},
			want: []shown{{"acc-00001", 300, KindCardReversal, reversalReference}},
		},
		{
			name: "reversal of what never came",
			op:   &bookv1.Operation{Kind: release, DebitAccount: "acc-00001", HoldKey: "k"},
		},
		{
			name: "stand-in approved",
			op:   &bookv1.Operation{Kind: advice, DebitAccount: "acc-00001", AmountMinor: 300, Decision: "00", Reference: "Tea"},
			want: []shown{{"acc-00001", -300, KindCardPayment, "Tea"}},
		},
		{
			name: "stand-in declined",
			op:   &bookv1.Operation{Kind: advice, DebitAccount: "acc-00001", AmountMinor: 300, Decision: "51"},
		},
		{name: "opened", op: &bookv1.Operation{Kind: open, DebitAccount: "acc-00001", AmountMinor: 300}},
		{name: "frozen", op: &bookv1.Operation{Kind: setState, DebitAccount: "acc-00001", State: "frozen"}},
		{name: "nothing"},
	} {
		t.Run(c.name, func(t *testing.T) {
			at := timestamppb.New(time.Date(2017, 10, 27, 13, 10, 0, 0, time.UTC))
			var got []shown
			for _, l := range linesOf(&bookv1.Entry{Sequence: 9, At: at, Operation: c.op, Refusal: c.refusal}) {
				if l.entry.GetSequence() != 9 || l.entry.GetAt() != at {
					t.Errorf("line %v", l.entry)
				}
				got = append(got, shown{l.account, l.entry.GetAmountMinor(), l.entry.GetKind(), l.entry.GetReference()})
			}
			if !slices.Equal(got, c.want) {
				t.Errorf("got %v, want %v", got, c.want)
			}
		})
	}
}
