package deploy

import (
	"slices"
	"time"
)

// Times of node leases.
const (
	// LeaseDuration is how long a node may be silent before its instances
	// count as not ready. Kubernetes' kubelets have 40 s.
	LeaseDuration = 10 * time.Second
	// quietLimit is how long all nodes together may be silent before that is
	// taken for the registry's silence: each renews every 3 s.
	quietLimit = LeaseDuration / 2
)

// Heartbeats judges which nodes are silent, by when the controller itself
// heard of the last renewal of each node's lease: clocks of nodes are not
// trusted.
//
// Time in which nobody at all was heard is held against nobody. A registry
// that comes back after a quorum loss would otherwise take every node for dead
// but for the first that manages to renew.
type Heartbeats struct {
	heard map[string]time.Time
	last  time.Time // when anybody was heard last
}

// Heard takes in that a node has renewed its lease.
func (h *Heartbeats) Heard(node string, now time.Time) {
	if h.heard == nil {
		h.heard = map[string]time.Time{}
	}
	if silence := now.Sub(h.last); !h.last.IsZero() && silence > quietLimit {
		for other, at := range h.heard {
			h.heard[other] = at.Add(silence)
		}
	}
	h.heard[node], h.last = now, now
}

// Forget drops a node that is no more.
func (h *Heartbeats) Forget(node string) { delete(h.heard, node) }

// Known says whether a node has ever been heard.
func (h *Heartbeats) Known(node string) bool { return !h.heard[node].IsZero() }

// Silent returns the nodes whose leases have expired, by name.
func (h *Heartbeats) Silent(now time.Time) []string {
	if now.Sub(h.last) > quietLimit {
		return nil
	}
	var silent []string
	for node, at := range h.heard {
		if now.Sub(at) >= LeaseDuration {
			silent = append(silent, node)
		}
	}
	slices.Sort(silent)
	return silent
}

// Next is when the next lease expires if nothing more is heard of it; zero
// when none is left to expire.
func (h *Heartbeats) Next(now time.Time) time.Time {
	var next time.Time
	for _, at := range h.heard {
		expiry := at.Add(LeaseDuration)
		if expiry.After(now) && (next.IsZero() || expiry.Before(next)) {
			next = expiry
		}
	}
	return next
}
