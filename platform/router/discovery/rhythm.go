package discovery

import (
	"slices"
	"time"
)

// How long a source may be silent depends on how often it speaks when it is
// well: breakbank's API servers send a bookmark each second, Kubernetes' own one
// a minute. So each source is given three of its own usual intervals, which is
// learned from its bookmarks:
//
//	usual     the median of the last rhythmGaps intervals, in whole seconds
//	silent    3 × usual, at least heartbeatSilence
//
// Intervals that have not been heard yet count as what the source is expected to
// do (SourceInfo.BookmarkEvery), so it takes three that say otherwise to change
// the picture: one bookmark that comes early, as Kubernetes sends it before it
// ends a watch, does not make a slow source look silent, and one darkness that
// ends does not make a source patient which is quick.

const (
	// rhythmGaps is how many intervals are remembered of a source. (Ours.)
	rhythmGaps = 5
	// rhythmUnit is what intervals are measured in: what comes in the same
	// second was held up on the way, and says nothing of how often it is sent.
	rhythmUnit = time.Second
	// rhythmSlowest bounds the usual interval, and so the longest silence: twice
	// what the slowest source that is known takes (kubernetesBookmarkEvery).
	rhythmSlowest = 2 * time.Minute
	// silentIntervals is how many bookmarks are due before their absence means
	// something: two may be lost.
	silentIntervals = 3
)

const (
	// breakbankBookmarkEvery is how often this module's API servers send a
	// bookmark (platform/apiserver, bookmarkInterval), and how often every other
	// source of a breakbank platform does.
	breakbankBookmarkEvery = time.Second
	// kubernetesBookmarkEvery is how often Kubernetes' own do (kube-apiserver,
	// watch cache, bookmark frequency).
	kubernetesBookmarkEvery = time.Minute
)

// rhythm is how often a source sends bookmarks. It outlives the source's
// sessions; the zero value knows nothing and is not used.
type rhythm struct {
	gaps  [rhythmGaps]time.Duration // a ring, in whole units
	next  int
	last  time.Time // the bookmark before; zero: none in this session
	usual time.Duration
}

// newRhythm is that of a source which is expected to send a bookmark every so
// often; 0 is breakbankBookmarkEvery.
func newRhythm(expected time.Duration) rhythm {
	if expected == 0 {
		expected = breakbankBookmarkEvery
	}
	r := rhythm{usual: min(max(expected, rhythmUnit), rhythmSlowest)}
	for i := range r.gaps {
		r.gaps[i] = r.usual
	}
	return r
}

// beat notes a bookmark.
func (r *rhythm) beat(now time.Time) {
	last := r.last
	r.last = now
	if last.IsZero() {
		return
	}
	gap := min(now.Sub(last).Round(rhythmUnit), rhythmSlowest)
	if gap < rhythmUnit {
		return
	}
	r.gaps[r.next] = gap
	r.next = (r.next + 1) % rhythmGaps
	sorted := r.gaps
	slices.Sort(sorted[:])
	r.usual = sorted[rhythmGaps/2]
}

// pause notes that the session has ended: the time to the next bookmark is not
// the source's doing.
func (r *rhythm) pause() { r.last = time.Time{} }

// silence is how long the source may go without a bookmark.
func (r *rhythm) silence() time.Duration {
	return max(heartbeatSilence, silentIntervals*r.usual)
}

// overdue is when the next bookmark is late: one that was due, and half of the
// one after.
func (r *rhythm) overdue() time.Duration { return r.usual + r.usual/2 }

// redial is how long a watch that is not trusted may be silent before it is
// opened anew. Opened any sooner, a slow source would never come to its first
// bookmark.
func (r *rhythm) redial() time.Duration { return max(redialAfter, r.silence()) }
