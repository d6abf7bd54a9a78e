package wire

import (
	"bytes"
	"fmt"
	"slices"
	"testing"

	"golang.org/x/net/http2/hpack"
	"pgregory.net/rapid"
)

// TestRepeatedListsDecode writes header lists, many of them twice, through the
// memory of the last one, and reads them back: each must be what it was, also
// when the table changes its size or is too small for anything.
func TestRepeatedListsDecode(t *testing.T) {
	field := rapid.Custom(func(t *rapid.T) hpack.HeaderField {
		return hpack.HeaderField{
			Name:      rapid.SampledFrom([]string{":method", ":path", "te", "grpc-timeout", "x-a", "x-b"}).Draw(t, "name"),
			Value:     rapid.SampledFrom([]string{"POST", "/a", "/b", "trailers", "1m", "2m", "0123456789012345678901234567890123456789"}).Draw(t, "value"),
			Sensitive: rapid.IntRange(0, 9).Draw(t, "sensitive") == 0,
		}
	})
	repeats := 0
	through := func(t rapid.TB, lists [][]hpack.HeaderField, turns []int, size func() uint32) {
		var block bytes.Buffer
		var known repeat
		encoder := hpack.NewEncoder(&block)
		decoder := hpack.NewDecoder(headerTable, nil)
		for _, turn := range turns {
			if turn == len(lists) {
				encoder.SetMaxDynamicTableSizeLimit(size())
				known.forget()
				continue
			}
			encoded := known.of(lists[turn])
			if encoded != nil {
				repeats++
			} else {
				block.Reset()
				for _, f := range lists[turn] {
					_ = encoder.WriteField(f)
				}
				encoded = block.Bytes()
				known.keep(lists[turn], encoded)
			}
			got, err := decoder.DecodeFull(slices.Clone(encoded))
			if err != nil {
				t.Fatal(err)
			}
			if fmt.Sprint(got) != fmt.Sprint(lists[turn]) {
				t.Fatalf("%v became %v", lists[turn], got)
			}
		}
	}
	through(t, [][]hpack.HeaderField{{{Name: ":method", Value: "POST"}, {Name: "te", Value: "trailers"}}}, []int{0, 0, 0}, nil)
	if repeats == 0 {
		t.Error("no list was repeated: the test looks at nothing")
	}
	rapid.Check(t, func(t *rapid.T) {
		lists := rapid.SliceOfN(rapid.SliceOfN(field, 0, 40), 1, 4).Draw(t, "lists")
		turns := rapid.SliceOfN(rapid.IntRange(0, len(lists)), 1, 40).Draw(t, "turns")
		through(t, lists, turns, func() uint32 { return rapid.SampledFrom([]uint32{0, 100, headerTable}).Draw(t, "size") })
	})
}
