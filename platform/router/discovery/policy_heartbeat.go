package discovery

import (
	"fmt"
	"time"
)

const (
	// heartbeatSilence is how long a source may go without a bookmark at the
	// least; API servers send one each second (design.md), so two may be lost.
	// One that is slower has as much more time (rhythm.go).
	heartbeatSilence = silentIntervals * breakbankBookmarkEvery

	// heartbeatFirstAnswer is how long the first list of a cold start may
	// take before others are tried too. With failOverApart it brings a router
	// that starts behind three dark API servers to etcd in 0.9 s.
	heartbeatFirstAnswer = failOverApart
)

// heartbeat doubts a source that has gone silent, and at once one whose table
// sends requests to unreachable addresses. What follows from doubt is in
// failover.go.
type heartbeat struct{}

func (heartbeat) Name() string { return "heartbeat" }
func (heartbeat) About() string {
	return "a source that is silent for three of its bookmarks (3 s or more), or whose table leads to unreachable addresses, is doubted and another found"
}

func (heartbeat) Doubt(now time.Time, s Standing) string {
	silent := now.Sub(s.ConfirmedAt)
	switch {
	case s.Accused != "":
		return s.Accused
	case !s.Synced && silent >= heartbeatFirstAnswer:
		return fmt.Sprintf("no answer for %v", heartbeatFirstAnswer)
	case s.Synced && silent >= s.Silence:
		return fmt.Sprintf("no bookmark for %v", s.Silence)
	}
	return ""
}
