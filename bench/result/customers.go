package result

import "breakbank/loadgen"

// CustomersLost sums, per customer, the seconds from a first journey that
// failed or stayed unknown to the next that was answered, or to the end; and
// counts the customers it met. Records are in the order of decision. A journey
// that stand-in answered ends a customer's wait: the payment went through.
func CustomersLost(records []loadgen.Record, endS float64) (seconds float64, customers int64) {
	since := make(map[int]float64)
	met := make(map[int]bool)
	for i := range records {
		r := &records[i]
		from, waiting := since[r.Customer]
		switch served := answered(r.Outcome); {
		case served && waiting:
			seconds += doneS(r) - from
			delete(since, r.Customer)
		case !served && !waiting:
			since[r.Customer] = doneS(r)
			met[r.Customer] = true
		}
	}
	for _, from := range since {
		seconds += max(endS-from, 0)
	}
	return seconds, int64(len(met))
}

func answered(o loadgen.Outcome) bool {
	return o == loadgen.OK || o == loadgen.Degraded || o == loadgen.Declined
}
