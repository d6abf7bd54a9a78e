package workers

import (
	"encoding/binary"
	"slices"
	"testing"

	"breakbank/loadgen"

	"pgregory.net/rapid"
)

// TestSentTimesTravel: whatever the times, the parts of all workers make the
// whole again, to the microsecond.
func TestSentTimesTravel(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		whole := rapid.SliceOf(rapid.OneOf(rapid.Just(int64(loadgen.NotSent)), rapid.Int64Range(-1, 1<<53))).Draw(t, "whole")
		for i, ns := range whole {
			if ns != loadgen.NotSent {
				whole[i] = ns / 1000 * 1000
			}
		}
		parts := rapid.IntRange(1, 5).Draw(t, "parts")
		var packed, unpacked []Report
		for part := range parts {
			r := Report{Part: part, Parts: parts, Summary: loadgen.Summary{Sent: 1, SentNs: whole}}
			data, err := r.encode()
			if err != nil {
				t.Fatal(err)
			}
			arrived, err := decodeReport(data, part, parts)
			if err != nil {
				t.Fatal(err)
			}
			packed, unpacked = append(packed, arrived), append(unpacked, r)
		}
		for _, reports := range [][]Report{packed, unpacked} {
			sum := MergeSummaries(reports)
			if sum.Sent != parts || !slices.Equal(sum.SentNs, whole) || (sum.SentNs == nil) != (whole == nil) {
				t.Fatalf("%v, and not %v", sum.SentNs, whole)
			}
		}
	})
}

// TestTimesAreCompact: two bytes an arrival, at a thousand a second each.
func TestTimesAreCompact(t *testing.T) {
	times := make([]int64, 10_000)
	for i := range times {
		times[i] = int64(i) * 1_000_000
	}
	if n := len(packSent(times, 0, 1)); n > 2*len(times)+10 {
		t.Errorf("%d bytes for %d times", n, len(times))
	}
}

// TestGarbledReports: no bytes from the network do harm, whatever they claim.
func TestGarbledReports(t *testing.T) {
	huge := binary.AppendUvarint(nil, 1<<62)
	for name, data := range map[string][]byte{
		"nothing":            nil,
		"an endless frame":   huge,
		"too few frames":     frame([]byte("{}")),
		"too many":           frame([]byte("{}"), nil, nil, nil),
		"no JSON":            frame([]byte("{"), nil, nil),
		"too many arrivals":  frame([]byte("{}"), huge, nil),
		"no times":           frame([]byte("{}"), []byte{3, 0}, nil),
		"more times":         frame([]byte("{}"), []byte{1, 0, 0}, nil),
		"an unfinished time": frame([]byte("{}"), []byte{1, 0x80}, nil),
	} {
		if _, err := decodeReport(data, 0, 1); err == nil {
			t.Errorf("%s was read", name)
		}
	}
	rapid.Check(t, func(t *rapid.T) {
		head := rapid.SampledFrom([]string{"{}", `{"summary":{"SentNs":[1]},"part":7}`, "", "null"}).Draw(t, "head")
		sent := rapid.SliceOf(rapid.Byte()).Draw(t, "sent")
		part, parts := rapid.IntRange(0, 3).Draw(t, "part"), 4
		if r, err := decodeReport(frame([]byte(head), sent, nil), part, parts); err == nil {
			if r.Part != part || r.Summary.SentNs != nil {
				t.Fatalf("%+v", r)
			}
			MergeSummaries([]Report{r}) // Must not panic.
		}
	})
}
