package gentle

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"breakbank/loadgen"
)

// metrics count journeys as their customers saw them.
type metrics struct {
	journeys *prometheus.CounterVec
	duration *prometheus.HistogramVec
	routes   *prometheus.CounterVec
}

func newMetrics(r prometheus.Registerer) (*metrics, error) {
	m := &metrics{
		journeys: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "bb_load_journeys_total", Help: "Journeys, by how they ended.",
		}, []string{"journey", "outcome"}),
		duration: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "bb_load_response_seconds", Help: "From when a journey was due to its end.",
			Buckets: prometheus.ExponentialBuckets(0.001, 2, 15),
		}, []string{"journey"}),
		routes: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "bb_load_routes_total", Help: "Journeys by the worst route that a hop behind the edge reported.",
		}, []string{"route"}),
	}
	for _, c := range []prometheus.Collector{m.journeys, m.duration, m.routes} {
		if err := r.Register(c); err != nil {
			return nil, err
		}
	}
	return m, nil
}

func (m *metrics) count(r *loadgen.Record) {
	m.journeys.WithLabelValues(r.Name, r.Outcome.String()).Inc()
	m.duration.WithLabelValues(r.Name).Observe(time.Duration(r.DoneNs - r.IntendedNs).Seconds())
	if r.Route != "" {
		m.routes.WithLabelValues(r.Route).Inc()
	}
}
