package telemetry

import (
	"log/slog"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// refusalEvery is how often refusals are logged: a line each would let a
// stranger fill the disk.
const refusalEvery = time.Second

// refusals counts the requests that an admin listener has refused. It is safe
// for concurrent use.
type refusals struct {
	log   *slog.Logger
	total *prometheus.CounterVec

	mu     sync.Mutex
	last   time.Time
	silent int // refused since the last line
}

func newRefusals(log *slog.Logger) *refusals {
	return &refusals{log: log, total: prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "bb_admin_refused_total", Help: "Requests that the admin listener refused, by why.",
	}, []string{"why"})}
}

// add counts one. Nothing that the client has sent is passed in.
func (r *refusals) add(why, remote string) {
	r.total.WithLabelValues(why).Inc()
	r.mu.Lock()
	defer r.mu.Unlock()
	now := time.Now()
	if now.Sub(r.last) < refusalEvery {
		r.silent++
		return
	}
	r.log.Warn("the admin listener refused a request", "why", why, "from", remote, "others_since", r.silent)
	r.last, r.silent = now, 0
}
