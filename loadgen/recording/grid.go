package recording

import "math/bits"

// The grid of all histograms is HdrHistogram's for 1 µs to 60 s, four times the
// longest patience of the bank, at three significant digits: 2,048 steps of 512
// ns, and from there on 1,024 steps an octave. So a value is known to 0.1 % or
// half a microsecond, whichever is more. Values are nanoseconds, as the tools
// that read HDR logs expect. That the indices are the library's own is tested.
const (
	histogramMinNs  = 1_000
	histogramMaxNs  = 60_000_000_000
	histogramDigits = 3

	gridUnitBits = 9  // 512 ns, the power of two below histogramMinNs
	gridHalfBits = 10 // 1,024 steps an octave, at least twice 10 to the digits over 2
	gridHalf     = 1 << gridHalfBits
	gridOctaves  = 17 // from 2,048 steps of 512 ns up to 68.7 s
	gridSteps    = (gridOctaves + 1) * gridHalf
)

// stepOf is the index of a value, which is held to the range first.
func stepOf(ns int64) int {
	v := uint64(min(max(ns, 0), histogramMaxNs))
	octave := bits.Len64(v|(2*gridHalf-1)<<gridUnitBits) - (gridUnitBits + gridHalfBits + 1)
	return octave<<gridHalfBits + int(v>>(octave+gridUnitBits))
}

// stepTop is the highest value of a step, which is what is shown of it, as HDR
// tools do.
func stepTop(step int) int64 {
	octave := max(step>>gridHalfBits-1, 0)
	return min((int64(step-octave<<gridHalfBits)+1)<<(octave+gridUnitBits)-1, histogramMaxNs)
}
