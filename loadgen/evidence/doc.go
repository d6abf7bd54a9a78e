// Package evidence says whether a load generator did what it claims: whether
// the drawn schedule is what was asked for, whether what was sent kept to it,
// whether the baseline held still, and what the generator itself cost.
//
// It measures and tests; what makes a run invalid is the bench's to say
// (measurement.md, "Verdict").
package evidence
