// Package evidence says whether a load generator did what it claims: whether
// the drawn schedule is what was asked for, whether what was sent kept to it,
// whether the measured held still, and what the generator itself cost. From
// these facts LoadRules give the verdict on a load: VALID, or INVALID and why.
//
//	Schedule, pacer ──ScheduleKS──┐
//	Summary.SentNs ────StrayOf────┤
//	WatchSelf, /proc ──Self───────┼─> LoadFacts ──LoadRules.Judge──> reasons
//	medians by second ─TestSteady─┘             └─LoadRules.Notes──> what was not tested
//
// It knows nothing of what is measured.
package evidence
