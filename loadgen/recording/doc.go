// Package recording keeps what a load saw, and writes it down: all records, the
// outcomes of each second, histograms of three clocks, figures by phase, and
// the files of a run (journal.jsonl.zst, series.csv, *.hlog).
//
// Everything but the Recorder is a pure function of records, so that whoever
// has the journal can compute every figure again.
package recording
