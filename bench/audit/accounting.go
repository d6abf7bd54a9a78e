package audit

import "breakbank/loadgen"

// checkAccounting claims that the clients' own record is sound, for every other
// check leans on it: one record a journey, one a key, and each with one
// outcome. That every journey of the schedule has its record is looked at where
// the schedule is, in the verdict on the load.
func checkAccounting(e Evidence) finding {
	type journey struct {
		load string
		seq  int
	}
	f := finding{checked: int64(len(e.Records))}
	journeys := make(map[journey]bool, len(e.Records))
	keys := make(map[string]bool, len(e.Records))
	for i := range e.Records {
		r := &e.Records[i]
		id := journey{r.Load, r.Seq}
		if journeys[id] {
			f.faults.add("%s %d of load %s is recorded twice", r.Journey, r.Seq, r.Load)
		}
		journeys[id] = true
		switch write := loadgen.Journeys[r.Journey].Write; {
		case write && r.Key == "":
			f.faults.add("%s %d of load %s has no key", r.Journey, r.Seq, r.Load)
		case write && keys[r.Key]:
			f.faults.add("key %s is recorded twice", r.Key)
		}
		keys[r.Key] = true
		if r.Outcome < loadgen.OK || r.Outcome > loadgen.Unknown {
			f.faults.add("%s %d of load %s ended in no outcome", r.Journey, r.Seq, r.Load)
		}
	}
	return f
}
