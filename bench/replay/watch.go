package replay

import (
	"cmp"
	"context"
	"slices"
	"sync"
	"time"

	"breakbank/bench/result"
	adminv1 "breakbank/proto/admin/v1"
)

const (
	// stateEvery is how often the platform tells the routers' states: often
	// enough to end the wait for live routers in time.
	stateEvery = 250 * time.Millisecond
	// rewatchAfter is the pause before a broken watch is opened again.
	rewatchAfter = 200 * time.Millisecond
)

// stateWatch holds the latest that the platform said of itself. Safe for
// concurrent use.
type stateWatch struct {
	admin adminv1.AdminServiceClient

	mu      sync.Mutex
	at      time.Time
	routers []result.RouterPoint
	// proofs holds the most that each fault's victim has counted.
	proofs  map[faultID]proof
	changed chan struct{} // closed at the next change
}

type faultID struct{ name, target string }

type proof struct {
	count    int64
	evidence string
}

func newStateWatch(admin adminv1.AdminServiceClient) *stateWatch {
	return &stateWatch{admin: admin, proofs: make(map[faultID]proof), changed: make(chan struct{})}
}

// watch follows the platform until ctx ends; a broken stream is opened again.
func (w *stateWatch) watch(ctx context.Context) {
	pause := time.NewTimer(0)
	defer pause.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-pause.C:
		}
		stream, err := w.admin.WatchState(ctx, &adminv1.WatchStateRequest{IntervalMs: int32(stateEvery.Milliseconds())})
		for err == nil {
			var state *adminv1.WatchStateResponse
			if state, err = stream.Recv(); err == nil {
				w.note(state)
			}
		}
		pause.Reset(rewatchAfter)
	}
}

func (w *stateWatch) note(state *adminv1.WatchStateResponse) {
	routers := make([]result.RouterPoint, 0, len(state.GetRouters()))
	for _, r := range state.GetRouters() {
		routers = append(routers, result.RouterPoint{
			Node: r.GetNode(), State: cmp.Or(routerStates[r.GetState()], result.RouterDown), AgeMs: r.GetAgeMs(),
			Source: r.GetSource(), Detail: r.GetDetail(), EtcdReads: r.GetEtcdReads(),
			Requests: r.GetRequests(), Attempts: r.GetAttempts(),
		})
	}
	slices.SortFunc(routers, func(a, b result.RouterPoint) int { return cmp.Compare(a.Node, b.Node) })
	w.mu.Lock()
	defer w.mu.Unlock()
	w.at, w.routers = time.Now(), routers
	w.noteFaults(state.GetFaults())
	close(w.changed)
	w.changed = make(chan struct{})
}

// noteFaults keeps the greatest proof; the caller holds mu.
func (w *stateWatch) noteFaults(faults []*adminv1.Fault) {
	for _, f := range faults {
		id := faultID{f.GetName(), f.GetTarget()}
		if f.GetProof() >= w.proofs[id].count {
			w.proofs[id] = proof{f.GetProof(), f.GetEvidence()}
		}
	}
}

// points are the latest states of the routers.
func (w *stateWatch) points() []result.RouterPoint {
	w.mu.Lock()
	defer w.mu.Unlock()
	return slices.Clone(w.routers)
}

// awaitLive waits until a state told after since has every router live; false
// when most have passed without, or ctx has ended.
func (w *stateWatch) awaitLive(ctx context.Context, since time.Time, most time.Duration) bool {
	ctx, cancel := context.WithTimeout(ctx, most)
	defer cancel()
	for {
		w.mu.Lock()
		told := w.at.After(since) && len(w.routers) > 0
		live := !slices.ContainsFunc(w.routers, func(r result.RouterPoint) bool { return r.State != result.RouterLive })
		changed := w.changed
		w.mu.Unlock()
		if told && live {
			return true
		}
		select {
		case <-ctx.Done():
			return false
		case <-changed:
		}
	}
}
