package recording

import (
	"encoding/base64"
	"math"
	"testing"

	"github.com/HdrHistogram/hdrhistogram-go"
	"pgregory.net/rapid"
)

func newLibrary() *hdrhistogram.Histogram {
	return hdrhistogram.New(histogramMinNs, histogramMaxNs, histogramDigits)
}

// spread draws values from all of the range, and a little beyond.
func spread() *rapid.Generator[int64] {
	return rapid.Custom(func(t *rapid.T) int64 {
		return int64(math.Exp2(rapid.Float64Range(0, 37).Draw(t, "log"))) - 2
	})
}

func TestStepsAreTheLibrarys(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		ns := spread().Draw(t, "ns")
		held := min(max(ns, 0), histogramMaxNs)
		h := newLibrary()
		if err := h.RecordValue(held); err != nil {
			t.Fatal(err)
		}
		step := stepOf(ns)
		counts := h.Export().Counts
		if len(counts) != gridSteps || counts[step] != 1 {
			t.Fatalf("%d ns is not in step %d of %d", ns, step, len(counts))
		}
		if want := min(h.Max(), histogramMaxNs); stepTop(step) != want {
			t.Fatalf("the top of step %d is %d, the library's %d", step, stepTop(step), want)
		}
		if off := stepTop(step) - held; off < 0 || float64(off) > max(511, 0.001*float64(held)) {
			t.Fatalf("%d ns is shown as %d", held, stepTop(step))
		}
	})
}

// counted is a histogram of values, and the library's of the same.
func counted(values []int64) (*histogram, *hdrhistogram.Histogram) {
	h, library := &histogram{}, newLibrary()
	var m memory
	for _, ns := range values {
		h.add(stepOf(ns), &m)
		_ = library.RecordValue(min(max(ns, 0), histogramMaxNs)) // In the range.
	}
	return h, library
}

func TestPackedHistogramsAreTheLibrarys(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		values := rapid.SliceOfN(spread(), 1, 300).Draw(t, "values")
		h, library := counted(values)
		p := h.pack(0, &memory{})
		if p.total() != int64(len(values)) || !p.histogram().Equals(library) {
			t.Fatalf("%d values became %d", len(values), p.total())
		}
		var c coder
		text, err := c.encode(p)
		if err != nil {
			t.Fatal(err)
		}
		back, err := hdrhistogram.Decode([]byte(text))
		if err != nil || !back.Equals(library) {
			t.Fatalf("the library reads something else (%v)", err)
		}
		theirs, err := library.Encode(hdrhistogram.V2CompressedEncodingCookieBase)
		if err != nil {
			t.Fatal(err)
		}
		if body := inflate(t, theirs); string(body[hdrHeadBytes:]) != string(p) {
			t.Fatal("the library writes the counts otherwise")
		}
		if head := string(inflate(t, theirs)[:hdrHeadBytes]); head != string(inflate(t, []byte(text))[:hdrHeadBytes]) {
			t.Fatal("the library writes the header otherwise")
		}
		if checked, err := checkPacked(string(p), gridSteps); err != nil || checked != p {
			t.Fatalf("what was packed is refused: %v", err)
		}
	})
}

func TestCoarserIsTheSameInFewerSteps(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		h, _ := counted(rapid.SliceOfN(spread(), 0, 100).Draw(t, "values"))
		want := map[int]int64{}
		for step, n := range h.pack(0, &memory{}).all {
			want[step>>seriesCoarser] += n
		}
		for step, n := range h.pack(seriesCoarser, &memory{}).all {
			if want[step] != n {
				t.Fatalf("%d in step %d, want %d", n, step, want[step])
			}
			delete(want, step)
		}
		if len(want) > 0 {
			t.Fatalf("missing: %v", want)
		}
	})
}

func TestCountsBeyond32Bits(t *testing.T) {
	var m memory
	h := &histogram{}
	step := stepOf(5_000_000)
	h.add(step, &m)
	h.pages[step>>pageBits][step%pageSteps] = math.MaxUint32
	h.add(step, &m)
	if got := h.pack(0, &m).total(); got != 1<<32 {
		t.Errorf("%d after adding one to the most that 32 bits hold", got)
	}
	h.pages[step>>pageBits][step%pageSteps] = math.MaxUint32
	sum := &histogram{}
	sum.absorb(h, &m)
	sum.absorb(h, &m)
	if got, want := sum.pack(0, &m).total(), int64(2*(1<<32+math.MaxUint32)); got != want {
		t.Errorf("%d, want %d", got, want)
	}
}

func TestCopiesShareUntilWritten(t *testing.T) {
	h, _ := counted([]int64{1000, 2000, 3_000_000})
	m := memory{epoch: h.epoch}
	before := h.pack(0, &memory{})
	m.epoch++
	shared := *h
	for range 3 {
		h.add(stepOf(1000), &m)
	}
	h.clear(&m)
	reused := &histogram{}
	for range 5 {
		reused.add(stepOf(3_000_000), &m)
	}
	if shared.pack(0, &memory{}) != before {
		t.Error("what was written after a copy was made is in the copy")
	}
}

func TestMergingPackedIsAddition(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		left := rapid.SliceOfN(spread(), 0, 100).Draw(t, "left")
		right := rapid.SliceOfN(spread(), 0, 100).Draw(t, "right")
		pack := func(values []int64) packed {
			h, _ := counted(values)
			return h.pack(0, &memory{})
		}
		a, b := pack(left), pack(right)
		if whole := pack(append(left, right...)); mergePacked(a, b) != whole || mergePacked(b, a) != whole {
			t.Fatal("the parts are not the whole")
		}
	})
}

func TestCountsStayAtTheirMost(t *testing.T) {
	var w packer
	w.put(3, countMax)
	most := packed(w.buf)
	if got := mergePacked(most, mergePacked(most, most)); got != most {
		t.Errorf("%d", got.total())
	}
}

func TestBrokenHistogramsAreRefused(t *testing.T) {
	for name, text := range map[string]string{
		"a varint cut short":        "\x80",
		"a longer varint":           "\x82\x00",
		"zeros at the end":          "\x02\x05",
		"a zero at the end":         "\x02\x00",
		"zeros twice":               "\x05\x05\x02",
		"a run of one":              "\x01\x02",
		"more steps than there are": "\xff\xff\x03\x02",
		"a count beyond the most":   "\xfe\xff\xff\xff\xff\xff\xff\xff\x7f",
		"a run beyond 64 bits":      "\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01\x02",
	} {
		if _, err := checkPacked(text, gridSteps); err == nil {
			t.Errorf("%s: taken", name)
		}
	}
	if _, err := checkPacked("\x02\x02\x02", 2); err == nil {
		t.Error("three steps of two: taken")
	}
}

func inflate(t *rapid.T, text []byte) []byte {
	all, err := base64.StdEncoding.DecodeString(string(text))
	if err != nil {
		t.Fatal(err)
	}
	return unzipped(t, all[8:])
}
