package recording

import (
	"cmp"
	"slices"
	"sync"

	"breakbank/loadgen"
)

// chunkRecords is how many records are kept together. Growing by chunks never
// copies what is there, which under the lock would stall every journey.
const chunkRecords = 4096

// Recorder is a loadgen.Sink that keeps every record, and counts as they come
// for whoever watches. Safe for concurrent use.
type Recorder struct {
	mu         sync.Mutex
	chunks     [][]loadgen.Record
	kept       int
	limit      int
	overflow   int
	series     Series
	histograms *Histograms
}

// New returns a recorder for at most limit records: the lengths of the
// schedules it will see.
func New(limit int) *Recorder {
	return &Recorder{limit: limit, histograms: NewHistograms()}
}

// Record takes a record.
func (r *Recorder) Record(record *loadgen.Record) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.kept == r.limit {
		r.overflow++
		return
	}
	if r.kept%chunkRecords == 0 {
		r.chunks = append(r.chunks, make([]loadgen.Record, 0, chunkRecords))
	}
	last := &r.chunks[len(r.chunks)-1]
	*last = append(*last, *record)
	r.kept++
	r.series.Add(record)
	r.histograms.Add(record)
}

// Overflow is how many records came beyond the limit and were not kept. It is 0
// unless the recorder was made too small.
func (r *Recorder) Overflow() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.overflow
}

// Records is a copy of the records so far, in the order of their loads'
// intended times.
func (r *Recorder) Records() []loadgen.Record {
	r.mu.Lock()
	records := slices.Concat(r.chunks...)
	r.mu.Unlock()
	slices.SortFunc(records, func(a, b loadgen.Record) int {
		return cmp.Or(cmp.Compare(a.IntendedNs, b.IntendedNs), cmp.Compare(a.Load, b.Load), cmp.Compare(a.Seq, b.Seq))
	})
	return records
}

// Series is a copy of the seconds so far, from one on.
func (r *Recorder) Series(from int) []Second {
	r.mu.Lock()
	defer r.mu.Unlock()
	if from >= len(r.series.seconds) {
		return nil
	}
	return slices.Clone(r.series.seconds[max(from, 0):])
}

// Histograms is a copy of the histograms so far.
func (r *Recorder) Histograms() *Histograms {
	r.mu.Lock()
	defer r.mu.Unlock()
	h := NewHistograms()
	h.Merge(r.histograms)
	return h
}
