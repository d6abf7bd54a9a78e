package recording

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"iter"
	"slices"
	"strings"

	"breakbank/loadgen"

	"github.com/klauspost/compress/zstd"
)

// JournalName is the file of the client's own record of a run: a JSON object a
// line, compressed with zstd.
const JournalName = "journal.jsonl.zst"

// Bounds on what is read: a line is some 300 bytes, a window of zstd's default
// level 8 MiB.
const (
	journalLineMaxBytes   = 64 << 10
	journalMemoryMaxBytes = 64 << 20
)

// WriteJournal writes records to w, which it does not close.
func WriteJournal(w io.Writer, records []loadgen.Record) error {
	z, err := zstd.NewWriter(w, zstd.WithEncoderConcurrency(1))
	if err != nil {
		return fmt.Errorf("write journal: %w", err)
	}
	lines := json.NewEncoder(z)
	for i := range records {
		if err := lines.Encode(&records[i]); err != nil {
			_ = z.Close() // The journal is broken already; this only frees it.
			return fmt.Errorf("write journal, record %d: %w", i+1, err)
		}
	}
	if err := z.Close(); err != nil {
		return fmt.Errorf("write journal: %w", err)
	}
	return nil
}

// ReadJournal reads records one by one. The first error ends it; a journal cut
// off in the middle is an error, not a short journal. names is the table that
// Journey of the records shall point into; a journey that is not in it is an
// error. Without names, Journey is left 0 and only Name says which it is.
func ReadJournal(r io.Reader, names []string) iter.Seq2[loadgen.Record, error] {
	return func(yield func(loadgen.Record, error) bool) {
		z, err := zstd.NewReader(r, zstd.WithDecoderConcurrency(1), zstd.WithDecoderMaxMemory(journalMemoryMaxBytes))
		if err != nil {
			yield(loadgen.Record{}, fmt.Errorf("read journal: %w", err))
			return
		}
		defer z.Close()
		lines := bufio.NewScanner(z)
		lines.Buffer(nil, journalLineMaxBytes)
		n := 0
		for lines.Scan() {
			n++
			var record loadgen.Record
			if err := json.Unmarshal(lines.Bytes(), &record); err != nil {
				yield(loadgen.Record{}, fmt.Errorf("read journal, line %d: %w", n, err))
				return
			}
			if names != nil {
				j := slices.Index(names, record.Name)
				if j < 0 {
					yield(loadgen.Record{}, fmt.Errorf("read journal, line %d: no journey %q; the journeys are %s", n, record.Name, strings.Join(names, ", ")))
					return
				}
				record.Journey = loadgen.Journey(j)
			}
			if !yield(record, nil) {
				return
			}
		}
		if err := lines.Err(); err != nil {
			yield(loadgen.Record{}, fmt.Errorf("read journal, after line %d: %w", n, err))
		}
	}
}
