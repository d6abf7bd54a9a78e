package live

import (
	"fmt"
	"math"
	"strconv"
	"strings"

	"charm.land/lipgloss/v2"

	"breakbank/bench/screen"
)

// A character of braille is a grid of dots, two wide and four high. Unicode
// numbers them so that a set of dots is a sum of bits (Unicode 15, "Braille
// Patterns").
const (
	brailleBase = 0x2800
	dotsWide    = 2
	dotsHigh    = 4
)

var brailleBits = [dotsHigh][dotsWide]rune{{0x01, 0x08}, {0x02, 0x10}, {0x04, 0x20}, {0x40, 0x80}}

// plotLines is how many lines of text a plot takes; axisWidth is what its scale
// needs at the left.
const (
	plotLines = 7
	axisWidth = 9
)

// series is one line of a plot, a value a second; nil is none.
type series struct {
	values []*float64
	style  lipgloss.Style
}

// plot draws series over each other on a logarithmic scale of milliseconds,
// columns wide, the newest second at the right. Where two meet, the later has
// the character's colour.
func plot(columns int, all ...series) string {
	columns = max(1, columns)
	dots := columns * dotsWide
	low, high, any := bounds(dots, all)
	if !any {
		return ""
	}
	grid := make([][]rune, plotLines)
	owner := make([][]int, plotLines)
	for i := range grid {
		grid[i], owner[i] = make([]rune, columns), make([]int, columns)
	}
	for n, s := range all {
		last := -1
		values := latest(s.values, dots)
		offset := max(0, dots-len(values)) // the newest is at the right once it is full
		if len(values) < dots {
			offset = 0
		}
		for x, v := range values {
			if v == nil {
				last = -1
				continue
			}
			y := row(*v, low, high)
			from, to := y, y
			if last >= 0 { // join steps, so that a line stays one
				from, to = min(y, last+sign(y-last)), max(y, last+sign(y-last))
			}
			for d := from; d <= to; d++ {
				c, l := (x+offset)/dotsWide, d/dotsHigh
				grid[l][c] |= brailleBits[d%dotsHigh][(x+offset)%dotsWide]
				owner[l][c] = n
			}
			last = y
		}
	}
	var b strings.Builder
	for l := range grid {
		b.WriteString(screen.Quiet.Render(scale(l, low, high)))
		for c, dots := range grid[l] {
			if dots == 0 {
				b.WriteByte(' ')
				continue
			}
			b.WriteString(all[owner[l][c]].style.Render(string(brailleBase + dots)))
		}
		b.WriteByte('\n')
	}
	return b.String()
}

// bounds are whole powers of ten around all values, at least one apart.
func bounds(dots int, all []series) (low, high float64, any bool) {
	low, high = math.Inf(1), math.Inf(-1)
	for _, s := range all {
		for _, v := range latest(s.values, dots) {
			if v != nil {
				low, high, any = min(low, math.Max(*v, plotFloorMs)), max(high, *v), true
			}
		}
	}
	if !any {
		return 0, 0, false
	}
	// In whole exponents: 10 to the power of the logarithm of a power of ten is not
	// always that power.
	from, to := math.Floor(math.Log10(low)), math.Ceil(math.Log10(high))
	return math.Pow(10, from), math.Pow(10, math.Max(to, from+1)), true
}

// plotFloorMs is the least that is drawn: what the histograms tell apart.
const plotFloorMs = 0.001

// row is the line of dots of a value, 0 at the top.
func row(v, low, high float64) int {
	const last = plotLines*dotsHigh - 1
	share := math.Log(math.Max(v, low)/low) / math.Log(high/low)
	return max(0, min(last, int(math.Round(float64(last)*(1-share)))))
}

// scale labels the first and the last line, and what is between them where a
// power of ten falls on it.
func scale(line int, low, high float64) string {
	for e := math.Round(math.Log10(low)); e <= math.Round(math.Log10(high)); e++ {
		if v := math.Pow(10, e); row(v, low, high)/dotsHigh == line {
			return fmt.Sprintf("%*s ┤", axisWidth-2, strconv.FormatFloat(v, 'f', -1, 64))
		}
	}
	return strings.Repeat(" ", axisWidth-1) + "│"
}

func latest(values []*float64, n int) []*float64 { return values[max(0, len(values)-n):] }

func sign(n int) int {
	switch {
	case n > 0:
		return 1
	case n < 0:
		return -1
	}
	return 0
}
