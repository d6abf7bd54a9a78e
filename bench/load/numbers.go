package load

import (
	"math"
	"strconv"
)

// Millis writes milliseconds with three significant digits, and never with more
// than the microseconds that are measured: 0.042, 1.23, 45.6, 1234.
func Millis(ms float64) string {
	switch {
	case ms >= 100:
		return strconv.FormatFloat(ms, 'f', 0, 64)
	case ms >= 10:
		return strconv.FormatFloat(ms, 'f', 1, 64)
	case ms >= 1:
		return strconv.FormatFloat(ms, 'f', 2, 64)
	}
	return strconv.FormatFloat(ms, 'f', 3, 64)
}

// Grouped writes a count with a comma every three digits.
func Grouped(n int64) string {
	text := strconv.FormatInt(n, 10)
	start := len(text) % 3
	if n < 0 {
		start = 1 + (len(text)-1)%3
	}
	out := []byte(text[:start])
	for i := start; i < len(text); i += 3 {
		if digits := len(out); digits > 0 && out[digits-1] != '-' {
			out = append(out, ',')
		}
		out = append(out, text[i:i+3]...)
	}
	return string(out)
}

// percent writes a share in percent, rounded towards where it hurts: 99.9999 %
// must not read as all, nor a few failures as none.
func percent(share float64) string {
	p := 100 * share
	switch {
	case p > 50 && p < 100:
		p = math.Floor(p*1000) / 1000
	case p > 0 && p < 50:
		p = math.Ceil(p*1000) / 1000
	}
	return strconv.FormatFloat(p, 'f', -1, 64) + " %"
}

// plural writes a count with its noun.
func plural(n int, noun string) string {
	if n != 1 {
		noun += "s"
	}
	return Grouped(int64(n)) + " " + noun
}
