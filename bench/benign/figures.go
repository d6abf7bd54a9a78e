package benign

import (
	"slices"
	"time"
)

// figures are what one arm made of the plan.
type figures struct {
	served  []bool // by request
	refused int    // tries of addresses at which nobody was
	probes  int
	// late are the times from when a removal was valid until the table had
	// followed it, and those of the removals of more than half of a service.
	late, lateLarge []time.Duration
	notHonoured     int
}

// pendingRemoval is a removal that the table has not followed yet.
type pendingRemoval struct {
	removal
	large bool
}

// expect begins to wait for the table to follow a removal.
func (r *router) expect(gone *pendingRemoval) {
	name := r.plan.names[gone.service]
	// Others of the same write are waited for already.
	listed := 0
	for _, other := range r.plan.removals {
		if other.service == gone.service && other.at == gone.at {
			listed++
		}
	}
	gone.large = 2*listed > len(r.table[name])
	if !r.honoured(gone) {
		r.pending[name] = append(r.pending[name], gone)
	}
}

// honoured says whether the table has followed a removal, and notes when. A
// removal is valid from when the registry has said so and nobody answers at the
// address any more: an instance that still finishes its work may be asked.
func (r *router) honoured(gone *pendingRemoval) bool {
	if slices.Contains(r.table[r.plan.names[gone.service]], gone.addr) {
		return false
	}
	valid := max(gone.at, r.plan.instances[gone.addr].dies)
	late := max(0, r.clock.now-valid)
	r.figures.late = append(r.figures.late, late)
	if gone.large {
		r.figures.lateLarge = append(r.figures.lateLarge, late)
	}
	return true
}
