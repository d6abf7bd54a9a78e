package audit

import (
	"strings"

	"breakbank/loadgen/customers"
	bookv1 "breakbank/proto/book/v1"
	"breakbank/services/bank"
)

// checkAsked claims that no store holds money, or has moved any, for a payment
// that no client made: one that the bank made up, or made of another under a key
// of its own, as when a payment that was tried again is done again.
func checkAsked(e Evidence) finding {
	asked := make(map[string]bool, len(e.Records))
	for i := range e.Records {
		asked[e.Records[i].Key] = true
	}
	var f finding
	for _, store := range bank.Stores {
		for _, entry := range e.Books[store].Entries {
			op := entry.GetOperation()
			if !movesMoney(op) || entry.GetRefusal() != bookv1.Refusal_REFUSAL_UNSPECIFIED {
				continue
			}
			f.checked++
			if key := askedKey(op); !asked[key] {
				f.faults.add("store %s has %s of %s under %s, a payment that no client made", store,
					bank.Pounds(op.GetAmountMinor()), op.GetDebitAccount(), op.GetKey())
			}
		}
	}
	return f
}

func movesMoney(op *bookv1.Operation) bool {
	switch op.GetKind() {
	case bookv1.OperationKind_OPERATION_KIND_POST,
		bookv1.OperationKind_OPERATION_KIND_HOLD,
		bookv1.OperationKind_OPERATION_KIND_ADVICE:
		return true
	}
	return false
}

// askedKey is the key under which a client asked for an operation.
func askedKey(op *bookv1.Operation) string {
	key := op.GetKey()
	if hold := op.GetHoldKey(); hold != "" {
		key = hold // A processor asks for one hold under several keys.
	}
	key = strings.TrimPrefix(key, bank.AdviceKey(""))
	return strings.TrimPrefix(key, bank.RetakeKey(""))
}

// chargedAgain counts customers who paid twice: who tried again with another
// key, as a terminal does, though the try before had taken place. Each of the
// two payments is right by itself.
func chargedAgain(e Evidence) (n int64) {
	type arrival struct {
		load string
		seq  int
	}
	retried := map[arrival]bool{}
	for i := range e.Records {
		if r := &e.Records[i]; r.Retry > 0 && customers.Journeys[r.Journey].Write {
			retried[arrival{r.Load, r.Seq}] = true
		}
	}
	if len(retried) == 0 {
		return 0
	}
	charged := map[arrival]int{}
	for _, p := range paymentsOf(e.Records) {
		r := p.first()
		at := arrival{r.Load, r.Seq}
		if !retried[at] || effectOf(e.Books, r).times == 0 {
			continue
		}
		if charged[at]++; charged[at] == 2 {
			n++
		}
	}
	return n
}
