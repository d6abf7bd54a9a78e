package bank_test

import (
	"strings"
	"testing"

	bankv1 "breakbank/proto/bank/v1"
	"breakbank/services/bank"
)

// What the book could never take is no payment, whoever is asked to decide it.
func TestPaymentsThatCannotBeBooked(t *testing.T) {
	good := func() *bankv1.AuthoriseRequest {
		return &bankv1.AuthoriseRequest{IdempotencyKey: strings.Repeat("k", 200), AmountMinor: 1, Merchant: strings.Repeat("m", 256)}
	}
	if err := bank.CheckPayment(good()); err != nil {
		t.Errorf("the largest there may be: %v", err)
	}
	if n := len(bank.ReversalKey(bank.RetakeKey(bank.AdviceKey(good().GetIdempotencyKey())))); n > 256 {
		t.Errorf("its longest key has %d bytes, the book takes 256", n)
	}
	for name, twist := range map[string]func(*bankv1.AuthoriseRequest){
		"no key":          func(r *bankv1.AuthoriseRequest) { r.IdempotencyKey = "" },
		"a long key":      func(r *bankv1.AuthoriseRequest) { r.IdempotencyKey += "k" },
		"a long merchant": func(r *bankv1.AuthoriseRequest) { r.Merchant += "m" },
		"nothing to pay":  func(r *bankv1.AuthoriseRequest) { r.AmountMinor = 0 },
		"less than that":  func(r *bankv1.AuthoriseRequest) { r.AmountMinor = -1 },
	} {
		r := good()
		twist(r)
		if err := bank.CheckPayment(r); bank.KindOf(err) != bank.Invalid {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestReversalsThatCannotBeBooked(t *testing.T) {
	longest := bank.AdviceKey(strings.Repeat("k", 200))
	if err := bank.CheckReversal(&bankv1.ReverseRequest{IdempotencyKey: longest, Reason: strings.Repeat("r", 256)}); err != nil {
		t.Errorf("the largest there may be: %v", err)
	}
	for name, r := range map[string]*bankv1.ReverseRequest{
		"no key":        {},
		"a long key":    {IdempotencyKey: longest + "k"},
		"a long reason": {IdempotencyKey: longest, Reason: strings.Repeat("r", 257)},
	} {
		if err := bank.CheckReversal(r); bank.KindOf(err) != bank.Invalid {
			t.Errorf("%s: %v", name, err)
		}
	}
}
