package machine

import (
	"strconv"
	"strings"
	"time"
)

// Time is how the machine's cores have spent their time, all together. The zero
// value is what a system tells that does not tell.
type Time struct {
	// Busy is spent in processes, user and system; it includes interrupts.
	Busy time.Duration
	// Stolen is what the host gave to others while there was work here.
	Stolen time.Duration
	// All is Busy, Stolen and idleness.
	All time.Duration
}

// tick is the unit of /proc/stat, USER_HZ, which is 100 a second on every
// architecture that Go runs on (time(7)).
const tick = 10 * time.Millisecond

// Now reads the first line of /proc/stat: user, nice, system, idle, iowait, irq,
// softirq, steal (proc(5)). User time includes that of guests.
func Now() Time { return parse(procLine("/proc/stat", "cpu ")) }

func parse(line string) Time {
	const idle, iowait, steal, fields = 3, 4, 7, 8
	words := strings.Fields(line)
	if len(words) <= fields {
		return Time{}
	}
	var t Time
	for i, word := range words[1 : 1+fields] {
		ticks, err := strconv.ParseInt(word, 10, 64)
		if err != nil {
			return Time{}
		}
		spent := time.Duration(ticks) * tick
		t.All += spent
		switch i {
		case idle, iowait:
		case steal:
			t.Stolen += spent
		default:
			t.Busy += spent
		}
	}
	return t
}

// Minus is the time spent between an earlier moment and t.
func (t Time) Minus(earlier Time) Time {
	return Time{Busy: t.Busy - earlier.Busy, Stolen: t.Stolen - earlier.Stolen, All: t.All - earlier.All}
}

// Plus is the time of two stretches together.
func (t Time) Plus(other Time) Time {
	return Time{Busy: t.Busy + other.Busy, Stolen: t.Stolen + other.Stolen, All: t.All + other.All}
}

// Steal is the share of the machine's time that its host gave to others, 0
// where that is not told.
func (t Time) Steal() float64 { return t.share(t.Stolen) }

// Others is the share of the machine's time that went to processes other than
// those that used ours, 0 where that is not told.
func (t Time) Others(ours time.Duration) float64 { return max(0, t.share(t.Busy-ours)) }

func (t Time) share(part time.Duration) float64 {
	if t.All <= 0 {
		return 0
	}
	return float64(part) / float64(t.All)
}
