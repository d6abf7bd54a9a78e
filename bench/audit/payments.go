package audit

import (
	"breakbank/loadgen"
	"breakbank/platform/book"
)

// writes calls see with every write that ended in one of the outcomes, and
// with what it did.
func writes(e Evidence, see func(*loadgen.Record, effect), outcomes ...loadgen.Outcome) (n int64) {
	for i := range e.Records {
		r := &e.Records[i]
		if !loadgen.Journeys[r.Journey].Write {
			continue
		}
		for _, o := range outcomes {
			if r.Outcome == o {
				n++
				see(r, effectOf(e.Books, r))
			}
		}
	}
	return n
}

// checkAcknowledged claims that what a client was told had happened did
// happen, once and as asked: approvals, transfers, queued payments.
func checkAcknowledged(e Evidence) finding {
	var f finding
	f.checked = writes(e, func(r *loadgen.Record, did effect) {
		switch {
		case refusedByStandIn(r):
			if did.times != 0 {
				f.faults.add("%s %s was refused by stand-in and is in the books", r.Journey, r.Key)
			}
		case did.times != 1:
			f.faults.add("%s %s was acknowledged and is in the books %d times", r.Journey, r.Key, did.times)
		case did.wrong != "":
			f.faults.add("%s %s: %s", r.Journey, r.Key, did.wrong)
		}
	}, loadgen.OK, loadgen.Degraded)
	return f
}

// refusedByStandIn says whether the answer was a business no of stand-in.
func refusedByStandIn(r *loadgen.Record) bool { return r.Standin && r.Code != book.Approved }

// checkRejected claims that what a client was told had not happened, by a
// business no or by a failure, moved no money.
func checkRejected(e Evidence) finding {
	var f finding
	f.checked = writes(e, func(r *loadgen.Record, did effect) {
		if did.times != 0 {
			f.faults.add("%s %s was %s (%s) and is in the books", r.Journey, r.Key, r.Outcome, r.Code)
		}
	}, loadgen.Declined, loadgen.Failed)
	return f
}

// checkUnknown claims that what got no answer happened at most once.
func checkUnknown(e Evidence) finding {
	var f finding
	f.checked = writes(e, func(r *loadgen.Record, did effect) {
		if did.times > 1 {
			f.faults.add("%s %s had no answer and is in the books %d times", r.Journey, r.Key, did.times)
		}
	}, loadgen.Unknown)
	return f
}
