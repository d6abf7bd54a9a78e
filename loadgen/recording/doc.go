// Package recording keeps what a load saw, and writes it down.
//
// There are two ways. A Recorder counts and forgets: histograms of three clocks
// by phase and journey, figures of each second, classes of errors, in constant
// memory. Its Snapshot has every figure of a result, can be sent and merged with
// those of other workers, and writes series.csv and *.hlog.
//
//	            ┌> Recorder ──> Snapshot ──┬─ Merge, MarshalBinary
//	Record ─────┤                          └─ Totals, Phases, Seconds, *.hlog, series.csv
//	            └> Keeper ──> []Record ───── TotalsOf, ByPhase, SeriesOf, *.hlog, series.csv,
//	                                         journal.jsonl.zst
//
// A Keeper keeps every record, for an audit. What is computed from records are
// pure functions of them, so that whoever has the journal can compute every
// figure again. Figures from records are exact; those from a Snapshot are exact
// but for latencies, which are known to 0.1 % or a microsecond, whichever is more
// (0.8 % or 4 µs in those by second), and shown rounded up.
//
// Customers' tries beyond the first are in no figure but those named for them.
package recording
