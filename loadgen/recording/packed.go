package recording

import (
	"encoding/binary"
	"errors"
)

// packed is a histogram that is not counted into any more: the counts payload of
// HdrHistogram's V2 encoding. A count n is the unsigned varint 2n, a run of k
// steps without any is 2k-1 (so negative in zigzag), and the steps after the last
// count are left out. There is one way to write down each histogram, so equal
// histograms are equal strings.
//
// Source: HdrHistogram, AbstractHistogram.fillBufferFromCountsArray; its varints
// differ from these only beyond countMax.
type packed string

// packer writes a packed histogram.
type packer struct {
	buf  []byte
	next int
}

// put writes the count of a step; steps come in order.
func (w *packer) put(step int, n int64) {
	switch zeros := step - w.next; {
	case zeros == 1:
		w.buf = append(w.buf, 0) // A single one is written as a count of none.
	case zeros > 1:
		w.buf = binary.AppendUvarint(w.buf, uint64(zeros)*2-1)
	}
	w.buf = binary.AppendUvarint(w.buf, uint64(min(n, countMax))*2)
	w.next = step + 1
}

// unpacker reads a packed histogram.
type unpacker struct {
	p    packed
	next int
}

// step is the next step with a count; ok is false after the last.
func (u *unpacker) step() (step int, n int64, ok bool) {
	for len(u.p) > 0 {
		var v uint64
		for shift := 0; ; shift += 7 {
			b := u.p[0]
			u.p = u.p[1:]
			if v |= uint64(b&0x7f) << shift; b < 0x80 {
				break
			}
		}
		switch {
		case v == 0:
			u.next++
		case v&1 == 1:
			u.next += int(v+1) / 2
		default:
			u.next++
			return u.next - 1, int64(v / 2), true
		}
	}
	return 0, 0, false
}

// all goes over the steps with a count.
func (p packed) all(yield func(step int, n int64) bool) {
	u := unpacker{p: p}
	for {
		step, n, ok := u.step()
		if !ok || !yield(step, n) {
			return
		}
	}
}

// total is how many values there are.
func (p packed) total() (sum int64) {
	for _, n := range p.all {
		sum += n
	}
	return sum
}

// mergePacked adds two histograms of one grid.
func mergePacked(a, b packed) packed {
	switch {
	case a == "":
		return b
	case b == "":
		return a
	}
	w := packer{buf: make([]byte, 0, len(a)+len(b))}
	left, right := unpacker{p: a}, unpacker{p: b}
	i, m, moreLeft := left.step()
	j, n, moreRight := right.step()
	for moreLeft || moreRight {
		switch {
		case !moreRight || moreLeft && i < j:
			w.put(i, m)
			i, m, moreLeft = left.step()
		case !moreLeft || j < i:
			w.put(j, n)
			j, n, moreRight = right.step()
		default:
			w.put(i, m+n)
			i, m, moreLeft = left.step()
			j, n, moreRight = right.step()
		}
	}
	return packed(w.buf)
}

var errPacked = errors.New("a histogram is broken")

// checkPacked says whether text is a histogram of so many steps, written down as
// put does.
func checkPacked(text string, steps int) (packed, error) {
	rest, next, zerosBefore := []byte(text), 0, false
	for len(rest) > 0 {
		v, size := binary.Uvarint(rest)
		if size <= 0 || size > 1 && rest[size-1] == 0 {
			return "", errPacked
		}
		rest = rest[size:]
		zeros := v == 0 || v&1 == 1
		switch {
		case zeros && (zerosBefore || len(rest) == 0 || v == 1):
			return "", errPacked
		case v > 2*countMax || zeros && v/2 >= uint64(steps):
			return "", errPacked
		case zeros:
			next += int(v/2) + 1
		default:
			next++
		}
		if next > steps {
			return "", errPacked
		}
		zerosBefore = zeros
	}
	return packed(text), nil
}
