// Package comparison is what the comparisons of peers have in common: how often
// and how long each cell is measured, what is kept of the samples, the envelope
// of the result, the bars and their verdicts, and how all of it reads.
//
// A cell is one contender under one case. It is measured once in every block, so
// that whatever changes over a run changes it for all contenders.
package comparison
