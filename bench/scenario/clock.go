package scenario

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

// At says when a step is due.
type At struct {
	Kind AtKind
	// Words is the time as written.
	Words string
	// Clock is the time since midnight, for OnTheClock.
	Clock time.Duration
	// before orders the words of BeforeTheClock.
	before int
}

// AtKind tells the three ways of saying when.
type AtKind int

const (
	// BeforeTheClock steps follow one another; no clock runs.
	BeforeTheClock AtKind = iota
	// OnTheClock steps are due at a time of the day, at the run's pace.
	OnTheClock
	// OnceLive steps are due when every router is live again, or RecoverMax
	// after the step before; the paced clock stands still meanwhile.
	OnceLive
)

// RecoverMax bounds the real time that a OnceLive step waits. The parser of
// 2017 retries a failed list with a backoff of at most 10 s, so that is what a
// recovery without restarts may take (incident.md, mechanism 7).
const RecoverMax = 10 * time.Second

// OnceLiveWords is how a script says OnceLive.
const OnceLiveWords = "once routers are live"

// beforeWords are the times before the clock starts, in their order.
var beforeWords = []string{"two weeks before", "the week before", "the day before", "an hour before"}

const validTimes = `"two weeks before", "the week before", "the day before", "an hour before", a clock time HH:MM or HH:MM:SS, "` + OnceLiveWords + `"`

// parseAt reads the words of a step's time.
func parseAt(words string) (At, bool) {
	words = strings.TrimSpace(words)
	if i := slices.Index(beforeWords, words); i >= 0 {
		return At{Kind: BeforeTheClock, Words: words, before: i}, true
	}
	if words == OnceLiveWords {
		return At{Kind: OnceLive, Words: words}, true
	}
	for _, layout := range []string{"15:04", "15:04:05"} {
		if t, err := time.Parse(layout, words); err == nil && len(words) == len(layout) {
			midnight := time.Date(t.Year(), t.Month(), t.Day(), 0, 0, 0, 0, time.UTC)
			return At{Kind: OnTheClock, Words: words, Clock: t.Sub(midnight)}, true
		}
	}
	return At{}, false
}

// precedes says whether a step due at b may stand after one due at a.
func (a At) precedes(b At) bool {
	switch {
	case a.Kind != b.Kind:
		return a.Kind < b.Kind
	case a.Kind == BeforeTheClock:
		return a.before <= b.before
	case a.Kind == OnTheClock:
		return a.Clock <= b.Clock
	}
	return true
}

// ClockText writes a time since midnight as the incident's clock shows it,
// HH:MM:SS, wrapping at midnight.
func ClockText(sinceMidnight time.Duration) string {
	seconds := int64(sinceMidnight/time.Second) % (24 * 60 * 60)
	return fmt.Sprintf("%02d:%02d:%02d", seconds/3600, seconds/60%60, seconds%60)
}
