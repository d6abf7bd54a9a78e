package result

import (
	"slices"

	"breakbank/loadgen"
)

// FirstTries are the records of what was scheduled: all but the retries. Every
// figure of a result is computed from these, since retries come because others
// failed: with them among the rest, an outage would count the more the more
// patient the customers are.
func FirstTries(records []loadgen.Record) []loadgen.Record {
	isRetry := func(r loadgen.Record) bool { return r.Retry > 0 }
	if !slices.ContainsFunc(records, isRetry) {
		return records
	}
	return slices.DeleteFunc(slices.Clone(records), isRetry)
}

// CountRetries counts how the retries ended.
func CountRetries(records []loadgen.Record) Counts {
	var c Counts
	for i := range records {
		if records[i].Retry > 0 {
			c.Add(records[i].Outcome)
		}
	}
	return c
}
