package audit

import (
	"breakbank/loadgen"
	"breakbank/loadgen/customers"
)

// checkAccounting claims that the clients' own record is sound, for every other
// check leans on it: one record a try of a journey, no try without the one
// before it, no key of two journeys, and each with one outcome. That every
// journey of the schedule has its record is looked at where the schedule is, in
// the verdict on the load.
func checkAccounting(e Evidence) finding {
	type journey struct {
		load string
		seq  int
	}
	type try struct {
		journey
		retry int
	}
	f := finding{checked: int64(len(e.Records))}
	tries := make(map[try]bool, len(e.Records))
	keys := make(map[string]journey, len(e.Records))
	for i := range e.Records {
		r := &e.Records[i]
		id := try{journey{r.Load, r.Seq}, r.Retry}
		if tries[id] {
			f.faults.add("%s %d of load %s is recorded twice", r.Name, r.Seq, r.Load)
		}
		tries[id] = true
		owner, known := keys[r.Key]
		switch write := customers.Journeys[r.Journey].Write; {
		case write && r.Key == "":
			f.faults.add("%s %d of load %s has no key", r.Name, r.Seq, r.Load)
		case write && known && owner != id.journey:
			f.faults.add("key %s is of two journeys, %d of load %s and %d of load %s", r.Key, owner.seq, owner.load, r.Seq, r.Load)
		}
		keys[r.Key] = id.journey
		if r.Outcome < loadgen.OK || r.Outcome > loadgen.Unknown {
			f.faults.add("%s %d of load %s ended in no outcome", r.Name, r.Seq, r.Load)
		}
	}
	for id := range tries {
		if id.retry > 0 && !tries[try{id.journey, id.retry - 1}] {
			f.faults.add("journey %d of load %s was tried again, and the try before is not recorded", id.seq, id.load)
		}
	}
	return f
}
