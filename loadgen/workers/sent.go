package workers

import (
	"encoding/binary"
	"errors"
	"fmt"
	"iter"

	"breakbank/loadgen"
)

// The times at which the arrivals of one part were sent travel as varints: how
// many arrivals the schedule has, then one number for each arrival of the part,
//
//	0                     it was not sent
//	1 + zigzag(t - last)  it was, at t microseconds; last is that of the one
//	                      before it that was, 0 at first
//
// which takes two bytes an arrival at a thousand a second. No times at all, as
// of a closed loop, are no bytes.

// arrivalsMax bounds the arrivals of a schedule, as loadgen.Draw does.
const arrivalsMax = 20_000_000

// noTimes is the count of no times at all.
const noTimes = -1

var errSent = errors.New("the times of what was sent make no sense")

// packSent packs the times of a part, in nanoseconds by arrival.
func packSent(sentNs []int64, part, parts int) []byte {
	if sentNs == nil {
		return nil
	}
	out := binary.AppendUvarint(nil, uint64(len(sentNs)))
	last := int64(0)
	for seq := part; seq < len(sentNs); seq += max(1, parts) {
		if sentNs[seq] == loadgen.NotSent {
			out = append(out, 0)
			continue
		}
		us := sentNs[seq] / 1000
		step := us - last
		out = binary.AppendUvarint(out, 1+(uint64(step)<<1^uint64(step>>63)))
		last = us
	}
	return out
}

// checkSent says whether packed times can be unpacked.
func checkSent(packed []byte, part, parts int) error {
	if len(packed) == 0 {
		return nil
	}
	n, size := binary.Uvarint(packed)
	if size <= 0 || n > arrivalsMax {
		return errSent
	}
	packed = packed[size:]
	for seq := uint64(part); seq < n; seq += uint64(max(1, parts)) {
		_, size := binary.Uvarint(packed)
		if size <= 0 {
			return errSent
		}
		packed = packed[size:]
	}
	if len(packed) > 0 {
		return fmt.Errorf("%w: %d bytes too many", errSent, len(packed))
	}
	return nil
}

// sentTimes unpacks times that checkSent has passed: how many arrivals the
// schedule has, and for each of the part that was sent, when.
func sentTimes(packed []byte, part, parts int) (int, iter.Seq2[int, int64]) {
	if len(packed) == 0 {
		return noTimes, nil
	}
	n, size := binary.Uvarint(packed)
	return int(n), func(yield func(seq int, ns int64) bool) {
		rest, us := packed[size:], int64(0)
		for seq := part; seq < int(n); seq += max(1, parts) {
			v, size := binary.Uvarint(rest)
			rest = rest[size:]
			if v == 0 {
				continue
			}
			v--
			us += int64(v>>1) ^ -int64(v&1)
			if !yield(seq, us*1000) {
				return
			}
		}
	}
}
