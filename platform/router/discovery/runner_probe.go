package discovery

import (
	"context"
	"net"
)

// probe carries out a Probe. The core has no more than maxProbes under way.
func (r *Runner) probe(ctx context.Context, p Probe) {
	there := r.config.Probe
	if there == nil {
		there = Connects
	}
	r.reading.Go(func() {
		limited, cancel := context.WithTimeout(ctx, probeTimeout)
		defer cancel()
		alive := there(limited, p.Service, p.Endpoint)
		r.report(ctx, Probed{Service: p.Service, Addr: p.Endpoint.Addr, Alive: alive, Late: !alive && limited.Err() != nil})
	})
}

// Connects is the probe of one who cannot ask who is there: whether anybody
// takes a connection.
func Connects(ctx context.Context, _ string, e Endpoint) bool {
	var d net.Dialer
	conn, err := d.DialContext(ctx, "tcp", e.Addr)
	if err != nil {
		return false
	}
	conn.Close()
	return true
}
