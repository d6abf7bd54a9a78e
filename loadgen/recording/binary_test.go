package recording

import (
	"bytes"
	"fmt"
	"io"
	"strings"
	"testing"
	"time"

	"breakbank/loadgen"

	"github.com/klauspost/compress/zstd"
)

// body is a snapshot with something in each of its parts, before compression.
func body() []byte {
	r := NewRecorder(Options{Journeys: []string{"a", "b"}, Phases: []Phase{{Name: "first", FromNs: -5, ToNs: 3e9}}})
	for i := range int64(200) {
		one := loadgen.Record{
			Journey: loadgen.Journey(i % 2), Retry: int(i % 5 / 4), IntendedNs: i * 50e6, SentNs: i*50e6 + 1e6, DoneNs: i*50e6 + i*i*1e4 + 2e6,
			Decision:   loadgen.Decision{Outcome: loadgen.Outcome(1 + i%5), Code: "INTERNAL", Err: fmt.Sprintf("kind %c", 'a'+i%7)},
			Provenance: loadgen.Provenance{Route: "live", Attempts: 1},
		}
		r.Record(&one)
	}
	var w bodyWriter
	w.snapshot(r.Snapshot())
	return w.buf
}

func zipped(t testing.TB, body []byte) []byte {
	z, err := zstd.NewWriter(nil, zstd.WithEncoderConcurrency(1))
	if err != nil {
		t.Fatal(err)
	}
	return z.EncodeAll(body, []byte(snapshotHead))
}

func TestBrokenSnapshotsAreRefused(t *testing.T) {
	good := body()
	var s Snapshot
	if err := s.UnmarshalBinary(zipped(t, good)); err != nil {
		t.Fatal(err)
	}
	bad := map[string][]byte{
		"nothing":                             nil,
		"another file":                        []byte("PK\x03\x04"),
		"the next version":                    append([]byte("BBRS\x02"), zipped(t, good)[len(snapshotHead):]...),
		"no body":                             []byte(snapshotHead + "hello"),
		"more than it is":                     zipped(t, append(bytes.Clone(good), 0)),
		"a bomb":                              zipped(t, make([]byte, bodyMaxBytes+1)),
		"256 phases of no journey in 5 bytes": zipped(t, []byte{0, 0x80, 2, 0, 0, 0}),
		"257 journeys":                        zipped(t, append([]byte{0x81, 2}, make([]byte, 10_000)...)),
		"a long name":                         zipped(t, append([]byte{1, 0x81, 2}, make([]byte, 10_000)...)),
		// One journey, no phase, and a day in a few bytes.
		"seconds that are not there": zipped(t, []byte{1, 1, 'a', 0, 0, 0x80, 0xa3, 5}),
		"more than a day":            zipped(t, append([]byte{1, 1, 'a', 0, 0, 0x81, 0xa3, 5}, make([]byte, 1<<20)...)),
	}
	for name, data := range bad {
		before := s.seconds
		if err := s.UnmarshalBinary(data); err == nil || strings.Contains(err.Error(), "\n") {
			t.Errorf("%s: %v", name, err)
		}
		if s.seconds != before {
			t.Errorf("%s: it changed what was there", name)
		}
	}
}

func TestSnapshotsCutShortAreRefused(t *testing.T) {
	good := body()
	for i := range good {
		r := bodyReader{rest: good[:i]}
		if r.snapshot(); r.err == nil {
			t.Errorf("%d bytes of %d are taken", i, len(good))
		}
	}
}

func TestWhatIsTooLargeIsNotWritten(t *testing.T) {
	for name, o := range map[string]Options{
		"a journey's name": {Journeys: []string{strings.Repeat("a", nameMaxBytes+1)}},
		"a phase's name":   {Journeys: []string{"a"}, Phases: []Phase{{Name: strings.Repeat("a", nameMaxBytes+1)}}},
		"journeys":         {Journeys: make([]string, journeysMax+1)},
		"phases":           {Journeys: []string{"a"}, Phases: make([]Phase, phasesMax+1)},
	} {
		if _, err := NewRecorder(o).Snapshot().MarshalBinary(); err == nil {
			t.Errorf("%s: written", name)
		}
	}
}

// FuzzSnapshot reads anything as the body of a snapshot. What is taken must be
// fit for use, and be the same when it was written and read once more.
func FuzzSnapshot(f *testing.F) {
	f.Add(body())
	f.Add([]byte{0, 0, 0})
	f.Add([]byte{1, 1, 'a', 0, 0, 0x80, 0xa3, 5})
	f.Fuzz(func(t *testing.T, data []byte) {
		r := bodyReader{rest: data}
		s := r.snapshot()
		if r.err != nil {
			return
		}
		var w bodyWriter
		w.snapshot(s)
		again := bodyReader{rest: w.buf}
		back := again.snapshot()
		if again.err != nil {
			t.Fatalf("what was written is refused: %v", again.err)
		}
		var second bodyWriter
		if second.snapshot(back); !bytes.Equal(w.buf, second.buf) {
			t.Fatal("what was read is not what was written")
		}
		s.Totals(1, time.Second)
		s.Phases()
		s.Errors()
		for _, second := range s.Seconds() {
			second.Total()
		}
		for _, c := range Clocks {
			s.Overall(c)
			if err := s.WriteHLog(io.Discard, c, time.Unix(0, 0)); err != nil {
				t.Fatal(err)
			}
		}
		if err := s.WriteSeries(io.Discard); err != nil {
			t.Fatal(err)
		}
		if err := s.Merge(back); err != nil {
			t.Fatal(err)
		}
	})
}
