package recording

import (
	"bytes"
	"compress/zlib"
	"fmt"
	"io"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

func unzipped(t *rapid.T, data []byte) []byte {
	z, err := zlib.NewReader(bytes.NewReader(data))
	if err != nil {
		t.Fatal(err)
	}
	all, err := io.ReadAll(z)
	if err != nil {
		t.Fatal(err)
	}
	return all
}

// picture is how spans are cut: a bar a part.
func picture(s *spans) string {
	var b strings.Builder
	for _, p := range s.parts() {
		b.WriteString("|" + strings.Repeat("_", 2*p.lasts-1))
	}
	return b.String() + "|"
}

func TestSpansGrowAsTheirDocumentSays(t *testing.T) {
	s := newSpans(4, 1)
	for closed, want := range map[int]string{
		4: "|_|_|_|_|", 6: "|___|___|_|_|", 7: "|___|___|___|_|", 8: "|___|___|___|___|",
		9: "|___|___|___|___|", 10: "|_______|___|___|___|", 12: "|_______|_______|___|___|", 16: "|_______|_______|_______|_______|",
	} {
		s := newSpans(s.limit, s.kinds)
		s.advance(closed)
		if got := picture(&s); got != want {
			t.Errorf("after %d: %s, want %s", closed, got, want)
		}
	}
}

func TestSpansAreBoundedAndWhole(t *testing.T) {
	for limit := 1; limit < 9; limit++ {
		for closed := range 300 {
			s := newSpans(limit, 1)
			s.advance(closed)
			next := 0
			for _, p := range s.parts() {
				if p.from != next {
					t.Fatalf("limit %d, %d s: a part from %d after %d", limit, closed, p.from, next)
				}
				next += p.lasts
			}
			if len(s.coarse)+len(s.fine) > limit || closed-next < 0 || closed-next >= s.width {
				t.Fatalf("limit %d, %d s: %s of width %d", limit, closed, picture(&s), s.width)
			}
		}
	}
}

// fill closes seconds with one value each that says which it is.
func fill(limit int, seconds []int64) spans {
	f, m := newFilling(limit, 2, 0), memory{}
	for _, n := range seconds {
		var h histogram
		for range n {
			h.add(int(n), &m)
		}
		f.add(0, &histogram{}, &m)
		f.add(1, &h, &m)
		f.close()
	}
	return f.finish(&m)
}

func TestSpansHoldEverySecondInItsPart(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		seconds := rapid.SliceOfN(rapid.Int64Range(0, 5), 0, 100).Draw(t, "seconds")
		s := fill(rapid.IntRange(1, 9).Draw(t, "limit"), seconds)
		for _, p := range s.parts() {
			want := map[int]int64{}
			for _, n := range seconds[p.from : p.from+p.lasts] {
				if n > 0 {
					want[int(n)] += n
				}
			}
			got := map[int]int64{}
			for step, n := range p.of[1].all {
				got[step] = n
			}
			if fmt.Sprint(got) != fmt.Sprint(want) || p.of[0] != "" {
				t.Fatalf("%d s from %d: %v, want %v", p.lasts, p.from, got, want)
			}
		}
	})
}

func TestSpansMergeInAnyOrder(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		limit := rapid.IntRange(1, 9).Draw(t, "limit")
		seconds := func(name string) []int64 {
			return rapid.SliceOfN(rapid.Int64Range(0, 5), 0, 60).Draw(t, name)
		}
		a, b := seconds("a"), seconds("b")
		merged := func(a, b []int64) string {
			left, right := fill(limit, a), fill(limit, b)
			left.merge(&right)
			return fmt.Sprint(left.parts())
		}
		if ab, ba := merged(a, b), merged(b, a); ab != ba {
			t.Fatalf("%s\n%s", ab, ba)
		}
		// A second of both must be the sum of them.
		left, right := fill(limit, a), fill(limit, b)
		left.merge(&right)
		var want int64
		for _, n := range slices.Concat(a, b) {
			want += n
		}
		var got int64
		for _, p := range left.parts() {
			got += p.of[1].total()
		}
		if got != want {
			t.Fatalf("%d values of %d", got, want)
		}
	})
}
