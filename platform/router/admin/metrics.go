package admin

import (
	"net/http"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"breakbank/platform/router"
)

const (
	// maxLabelled bounds the services that have series of their own, about 35
	// each: the first by name that were asked for. The rest is summed up.
	maxLabelled = 500
	// What is not one service's goes under a name that no service has.
	unknownService = "_unknown" // names that the table does not have
	otherServices  = "_other"   // those beyond maxLabelled
)

// family is one metric: how it is called and where its value is.
type family[T any] struct {
	desc  *prometheus.Desc
	kind  prometheus.ValueType
	value func(T) float64
}

func newFamily[T any](name, help string, kind prometheus.ValueType, value func(T) float64, labels ...string) family[T] {
	return family[T]{desc(name, help, labels...), kind, value}
}

func desc(name, help string, labels ...string) *prometheus.Desc {
	return prometheus.NewDesc("bb_router_"+name, help, labels, nil)
}

// collector reads the router's counters whenever it is asked.
type collector struct {
	router func() Router // nil while there is none

	statuses []family[router.Status]
	gauges   []family[router.Metrics]
	services []family[router.ServiceMetrics]

	requests, latency, routes, endpoints, source *prometheus.Desc
}

var _ prometheus.Collector = (*collector)(nil)

// NewCollector returns the metrics of a router that may be replaced: current is
// asked at each scrape, from any goroutine, and returns nil while there is none.
func NewCollector(current func() Router) prometheus.Collector { return newCollector(current) }

func newCollector(current func() Router) *collector {
	const (
		counter = prometheus.CounterValue
		gauge   = prometheus.GaugeValue
	)
	return &collector{
		router: current,
		statuses: []family[router.Status]{
			newFamily("table_revision", "Revision of the registry up to which the table is complete.", gauge,
				func(s router.Status) float64 { return float64(s.Revision) }),
			newFamily("table_age_seconds", "Since the believed source was last heard; -1 if never.", gauge, ageS),
			newFamily("table_services", "Services in the table.", gauge,
				func(s router.Status) float64 { return float64(s.Names) }),
			newFamily("discovery_synced", "1 if a source was believed since the start, 0 if the table is from disk or there is none.", gauge,
				func(s router.Status) float64 { return truth(s.Synced) }),
			newFamily("discovery_poisoned", "1 while no list of the source can be parsed and none was before.", gauge,
				func(s router.Status) float64 { return truth(s.Poisoned) }),
			newFamily("discovery_etcd_reads_total", "Lists and watches opened at etcd itself.", counter,
				func(s router.Status) float64 { return float64(s.EtcdReads) }),
		},
		gauges: []family[router.Metrics]{
			newFamily("waiting", "Requests that wait for a better table.", gauge,
				func(m router.Metrics) float64 { return float64(m.Waiting) }),
			newFamily("connections", "Callers' connections.", gauge,
				func(m router.Metrics) float64 { return float64(m.Connections) }),
			newFamily("streams", "Requests under way.", gauge, streams),
		},
		services: []family[router.ServiceMetrics]{
			newFamily("attempts_total", "Attempts sent to instances.", counter,
				func(m router.ServiceMetrics) float64 { return float64(m.Attempts) }, "service"),
			newFamily("retries_total", "Attempts that the retry budget paid for.", counter,
				func(m router.ServiceMetrics) float64 { return float64(m.Retries) }, "service"),
			newFamily("refused_total", "Requests answered without any instance having executed them.", counter,
				func(m router.ServiceMetrics) float64 { return float64(m.Refused) }, "service"),
			newFamily("ejections_total", "Ejections of outliers.", counter,
				func(m router.ServiceMetrics) float64 { return float64(m.Ejections) }, "service"),
		},
		requests:  desc("requests_total", "Requests answered, by gRPC status.", "service", "code"),
		latency:   desc("request_duration_seconds", "From a request's headers to its status; of a stream, its life.", "service"),
		routes:    desc("routes_total", "Answers, by what the table rested on: live, stale, snapshot or seed.", "route"),
		endpoints: desc("endpoints", "Instances, by whether they are picked: usable, unreachable or ejected.", "service", "state"),
		source:    desc("discovery_source", "1 for the source believed now.", "source"),
	}
}

func (c *collector) Describe(to chan<- *prometheus.Desc) {
	for _, f := range c.statuses {
		to <- f.desc
	}
	for _, f := range c.gauges {
		to <- f.desc
	}
	for _, f := range c.services {
		to <- f.desc
	}
	for _, d := range []*prometheus.Desc{c.requests, c.latency, c.routes, c.endpoints, c.source} {
		to <- d
	}
}

func (c *collector) Collect(to chan<- prometheus.Metric) {
	r := c.router()
	if r == nil {
		return
	}
	status, m := r.Status(), r.Metrics()
	collect(to, c.statuses, status)
	collect(to, c.gauges, m)
	to <- prometheus.MustNewConstMetric(c.source, prometheus.GaugeValue, 1, status.Source)
	for route, n := range m.Routes {
		to <- prometheus.MustNewConstMetric(c.routes, prometheus.CounterValue, float64(n), string(route))
	}
	for _, s := range bounded(m) {
		c.service(to, s)
	}
}

func (c *collector) service(to chan<- prometheus.Metric, m router.ServiceMetrics) {
	collect(to, c.services, m, m.Name)
	for code, n := range m.Codes {
		to <- prometheus.MustNewConstMetric(c.requests, prometheus.CounterValue, float64(n), m.Name, code.String())
	}
	buckets := make(map[float64]uint64, len(m.Latency.Buckets))
	for _, b := range m.Latency.Buckets {
		buckets[b.AtMost.Seconds()] = uint64(b.Count)
	}
	to <- prometheus.MustNewConstHistogram(c.latency, uint64(m.Latency.Count), m.Latency.Sum.Seconds(), buckets, m.Name)
	if m.Name == unknownService {
		return // it has no instances
	}
	states := map[router.EndpointState]int{}
	for _, e := range m.Endpoints {
		states[e.State]++
	}
	for _, state := range router.EndpointStates {
		to <- prometheus.MustNewConstMetric(c.endpoints, prometheus.GaugeValue, float64(states[state]), m.Name, string(state))
	}
}

func collect[T any](to chan<- prometheus.Metric, families []family[T], from T, labels ...string) {
	for _, f := range families {
		to <- prometheus.MustNewConstMetric(f.desc, f.kind, f.value(from), labels...)
	}
}

// bounded is what gets series of its own: services that were asked for, up to
// maxLabelled, and what is left over.
func bounded(m router.Metrics) []router.ServiceMetrics {
	unknown := m.Unrouted
	unknown.Name = unknownService
	services := []router.ServiceMetrics{unknown}
	var other *router.ServiceMetrics
	for _, s := range m.Services {
		switch {
		case s.Requests == 0:
		case len(services) <= maxLabelled:
			services = append(services, s)
		case other == nil:
			other = &s
			other.Name = otherServices
		default:
			other.Add(s)
		}
	}
	if other != nil {
		services = append(services, *other)
	}
	return services
}

func ageS(s router.Status) float64 {
	if s.LastHeardAt.IsZero() {
		return -1
	}
	return time.Since(s.LastHeardAt).Seconds()
}

func streams(m router.Metrics) float64 {
	n := m.Unrouted.Active
	for _, s := range m.Services {
		n += s.Active
	}
	return float64(n)
}

func truth(b bool) float64 {
	if b {
		return 1
	}
	return 0
}

// metricsHandler has a registry of its own, so that nothing that a library
// registers elsewhere gets in.
func metricsHandler(r Router, f Facts) http.Handler {
	build := prometheus.NewGauge(prometheus.GaugeOpts{
		Name: "bb_router_build_info", Help: "1, with the version of the program.",
		ConstLabels: prometheus.Labels{"version": f.Build},
	})
	build.Set(1)
	registry := prometheus.NewRegistry()
	registry.MustRegister(
		newCollector(func() Router { return r }), build, collectors.NewGoCollector(),
		collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}),
	)
	return promhttp.HandlerFor(registry, promhttp.HandlerOpts{})
}
