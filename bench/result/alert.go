package result

import "time"

// The burn-rate alert, from the Google SRE workbook, "Alerting on SLOs", the
// fast-burn page of its table 5-8: 14.4 times the budget of a 99.9 % objective
// over an hour, and still so over the last five minutes. These are human times,
// so they scale with the pace.
const (
	alertBudget   = 0.001
	alertBurnRate = 14.4
	alertLong     = time.Hour
	alertShort    = 5 * time.Minute
)

// FirstAlert is the end of the first second, at or after fromS, in which the
// alert fires on the unanswered share of all journeys together; ok is false
// when it never does. A history shorter than an hour is taken as it is.
func FirstAlert(seconds []Second, pace, fromS float64) (atS float64, ok bool) {
	long := max(int(alertLong.Seconds()/pace), 1)
	short := max(int(alertShort.Seconds()/pace), 1)
	for i, second := range seconds {
		if second.TS+1 <= fromS {
			continue
		}
		if burns(seconds, i, long) && burns(seconds, i, short) {
			return second.TS + 1, true
		}
	}
	return 0, false
}

// burns judges the n seconds that end with the last one.
func burns(seconds []Second, last, n int) bool {
	var sum Counts
	for _, second := range seconds[max(last-n+1, 0) : last+1] {
		sum = sum.Plus(second.All())
	}
	return sum.Offered > 0 && 1-sum.Answered() > alertBurnRate*alertBudget
}

// All sums a second over the journeys.
func (s Second) All() Counts {
	var sum Counts
	for _, journey := range s.Journeys {
		sum = sum.Plus(journey.Counts)
	}
	return sum
}
