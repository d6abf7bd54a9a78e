package audit

import (
	"fmt"

	"breakbank/loadgen"
	"breakbank/loadgen/customers"
	"breakbank/platform/book"
)

// payment is everything that its customer was told of one idempotency key: one
// record, and more where a phone tried again under the key it had.
type payment struct {
	tries []*loadgen.Record
	told  told
}

// told is what a payment's customer may rely on, by all of the answers.
type told uint8

const (
	// rejected: every try was refused or failed, so nothing may have happened.
	rejected told = iota
	// unanswered: some try had no answer and none was acknowledged, so it may
	// have happened, once.
	unanswered
	// acknowledged: some try was, so it happened, once.
	acknowledged
)

// first is the record of the first try.
func (p *payment) first() *loadgen.Record { return p.tries[0] }

// decisive is the try that made the customer rely on what was told.
func (p *payment) decisive() *loadgen.Record {
	for _, r := range p.tries {
		if tells(r) == p.told {
			return r
		}
	}
	return p.first()
}

// afterTries says how often it was tried, where that was more than once.
func (p *payment) afterTries() string {
	if len(p.tries) == 1 {
		return ""
	}
	return fmt.Sprintf(" in %d tries", len(p.tries))
}

// tells is what one answer tells.
func tells(r *loadgen.Record) told {
	switch {
	case refusedByStandIn(r):
		return rejected
	case r.Outcome == loadgen.OK || r.Outcome == loadgen.Degraded:
		return acknowledged
	case r.Outcome == loadgen.Unknown:
		return unanswered
	}
	return rejected
}

// refusedByStandIn says whether the answer was a business no of stand-in.
func refusedByStandIn(r *loadgen.Record) bool {
	return r.Outcome == loadgen.Degraded && r.Standin && r.Code != book.Approved
}

// paymentsOf gathers the writes by their keys, in the order in which these were
// first used.
func paymentsOf(records []loadgen.Record) []*payment {
	var all []*payment
	byKey := make(map[string]*payment, len(records))
	for i := range records {
		r := &records[i]
		if !customers.Journeys[r.Journey].Write {
			continue
		}
		p := byKey[r.Key]
		if p == nil {
			p = &payment{}
			byKey[r.Key] = p
			all = append(all, p)
		}
		p.tries = append(p.tries, r)
		p.told = max(p.told, tells(r))
	}
	return all
}

// payments calls see with every payment of which this was told, and with what it
// did.
func payments(e Evidence, t told, see func(*payment, effect)) (n int64) {
	for _, p := range paymentsOf(e.Records) {
		if p.told == t {
			n++
			see(p, effectOf(e.Books, p.first()))
		}
	}
	return n
}

// checkAcknowledged claims that what a client was told had happened did
// happen, once and as asked, however often it was asked for: approvals,
// transfers, queued payments.
func checkAcknowledged(e Evidence) finding {
	var f finding
	f.checked = payments(e, acknowledged, func(p *payment, did effect) {
		r := p.decisive()
		switch {
		case did.times != 1:
			f.faults.add("%s %s was acknowledged%s and is in the books %d times", r.Name, r.Key, p.afterTries(), did.times)
		case did.wrong != "":
			f.faults.add("%s %s: %s", r.Name, r.Key, did.wrong)
		}
	})
	return f
}

// checkRejected claims that what a client was told had not happened, by a
// business no or by a failure, moved no money: unless another try with the same
// key was acknowledged, or left without an answer.
func checkRejected(e Evidence) finding {
	var f finding
	f.checked = payments(e, rejected, func(p *payment, did effect) {
		if r := p.decisive(); did.times != 0 {
			f.faults.add("%s %s was %s (%s)%s and is in the books", r.Name, r.Key, r.Outcome, r.Code, p.afterTries())
		}
	})
	return f
}

// checkUnknown claims that what got no answer happened at most once.
func checkUnknown(e Evidence) finding {
	var f finding
	f.checked = payments(e, unanswered, func(p *payment, did effect) {
		if r := p.decisive(); did.times > 1 {
			f.faults.add("%s %s had no answer%s and is in the books %d times", r.Name, r.Key, p.afterTries(), did.times)
		}
	})
	return f
}
