package rpc

import (
	"maps"
	"slices"
	"strings"

	"github.com/prometheus/client_golang/prometheus"
	"google.golang.org/grpc/codes"
)

// NewCollector returns the metrics of all servers of this process.
func NewCollector() prometheus.Collector {
	desc := func(name, help string, labels ...string) *prometheus.Desc {
		return prometheus.NewDesc("bb_service_"+name, help, append([]string{"service"}, labels...), nil)
	}
	return &collector{
		requests: desc("requests_total", "Requests answered, by gRPC status.", "method", "code"),
		duration: desc("request_duration_seconds", "From a request's arrival to its answer; of a stream, its life.", "method"),
		inFlight: desc("requests_in_flight", "Requests being served."),
		refused:  desc("refused_total", "Requests refused because they were meant for another, by why.", "reason"),
	}
}

// collector reads the meters whenever it is asked.
type collector struct{ requests, duration, inFlight, refused *prometheus.Desc }

func (c *collector) Describe(to chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{c.requests, c.duration, c.inFlight, c.refused} {
		to <- d
	}
}

func (c *collector) Collect(to chan<- prometheus.Metric) {
	meters.mu.Lock()
	all := slices.Collect(maps.Values(meters.byService))
	meters.mu.Unlock()
	for _, m := range all {
		c.collect(to, m)
	}
}

func (c *collector) collect(to chan<- prometheus.Metric, m *Meter) {
	to <- prometheus.MustNewConstMetric(c.inFlight, prometheus.GaugeValue, float64(m.inFlight.Load()), m.service)
	for i, reason := range refusalReasons {
		to <- prometheus.MustNewConstMetric(c.refused, prometheus.CounterValue, float64(m.refused[i].Load()), m.service, reason)
	}
	m.methods.Range(func(name, counted any) bool {
		method := strings.TrimPrefix(name.(string), "/")
		c.method(to, m.service, method, counted.(*methodMeter))
		return true
	})
}

func (c *collector) method(to chan<- prometheus.Metric, service, method string, m *methodMeter) {
	for code := range m.codes {
		if n := m.codes[code].Load(); n > 0 {
			to <- prometheus.MustNewConstMetric(c.requests, prometheus.CounterValue, float64(n), service, method, codes.Code(code).String())
		}
	}
	buckets, count := make(map[float64]uint64, durationBuckets), uint64(0)
	for i := range m.durations {
		count += uint64(m.durations[i].Load())
		if i < durationBuckets-1 {
			buckets[(durationFirst << i).Seconds()] = count
		}
	}
	took := float64(m.tookNs.Load()) / 1e9
	to <- prometheus.MustNewConstHistogram(c.duration, count, took, buckets, service, method)
}
