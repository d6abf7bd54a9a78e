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

// Keeper is a loadgen.Sink that keeps every record, for an audit, and counts
// them by second for whoever watches. Its memory grows with the load; a Recorder's
// does not. Safe for concurrent use.
type Keeper struct {
	mu       sync.Mutex
	chunks   [][]loadgen.Record
	kept     int
	limit    int
	overflow int
	series   Series
}

// NewKeeper returns a keeper for at most limit records: the lengths of the
// schedules it will see, and of the retries. journeys are the names of the table
// that the records point into.
func NewKeeper(journeys []string, limit int) *Keeper {
	return &Keeper{limit: limit, series: Series{journeys: len(journeys)}}
}

// Record takes a record.
func (k *Keeper) Record(record *loadgen.Record) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.kept == k.limit {
		k.overflow++
		return
	}
	if k.kept%chunkRecords == 0 {
		k.chunks = append(k.chunks, make([]loadgen.Record, 0, chunkRecords))
	}
	last := &k.chunks[len(k.chunks)-1]
	*last = append(*last, *record)
	k.kept++
	k.series.Add(record)
}

// Overflow is how many records came beyond the limit and were not kept. It is 0
// unless the keeper was made too small.
func (k *Keeper) Overflow() int {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.overflow
}

// Records is a copy of the records so far, in the order of their loads'
// intended times.
func (k *Keeper) Records() []loadgen.Record {
	k.mu.Lock()
	records := slices.Concat(k.chunks...)
	k.mu.Unlock()
	slices.SortFunc(records, func(a, b loadgen.Record) int {
		return cmp.Or(cmp.Compare(a.IntendedNs, b.IntendedNs), cmp.Compare(a.Load, b.Load),
			cmp.Compare(a.Seq, b.Seq), cmp.Compare(a.Retry, b.Retry))
	})
	return records
}

// Series is a copy of the seconds so far, from one on. They have no latencies.
func (k *Keeper) Series(from int) []Second {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.series.copyFrom(from)
}
