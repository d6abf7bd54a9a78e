package apiserver

import "github.com/prometheus/client_golang/prometheus"

// NewCollector returns the metrics of API servers that may be replaced: current
// is asked at each scrape, from any goroutine, and leaves out those that do not
// run.
func NewCollector(current func() []*Server) prometheus.Collector {
	desc := func(name, help string) *prometheus.Desc {
		return prometheus.NewDesc("bb_apiserver_"+name, help, []string{"apiserver", "resource"}, nil)
	}
	return &collector{
		current:  current,
		ready:    desc("cache_ready", "1 once the watch cache has had its first list from etcd."),
		revision: desc("cache_revision", "Revision of the registry up to which the watch cache knows it; on a dark connection it stands still."),
		objects:  desc("cache_objects", "Objects in the watch cache."),
		watchers: desc("watchers", "Open watches."),
		dropped:  desc("watchers_dropped_total", "Watches ended because they were too slow or had to list again."),
	}
}

type collector struct {
	current func() []*Server

	ready, revision, objects, watchers, dropped *prometheus.Desc
}

func (c *collector) Describe(to chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{c.ready, c.revision, c.objects, c.watchers, c.dropped} {
		to <- d
	}
}

func (c *collector) Collect(to chan<- prometheus.Metric) {
	for _, s := range c.current() {
		for resource, k := range s.kinds {
			c.collect(to, s.cfg.Name, resource, k.cache.counts())
		}
	}
}

func (c *collector) collect(to chan<- prometheus.Metric, server, resource string, n cacheCounts) {
	tell := func(d *prometheus.Desc, kind prometheus.ValueType, v float64) {
		to <- prometheus.MustNewConstMetric(d, kind, v, server, resource)
	}
	ready := 0.0
	if n.ready {
		ready = 1
	}
	tell(c.ready, prometheus.GaugeValue, ready)
	tell(c.revision, prometheus.GaugeValue, float64(n.revision))
	tell(c.objects, prometheus.GaugeValue, float64(n.objects))
	tell(c.watchers, prometheus.GaugeValue, float64(n.watchers))
	tell(c.dropped, prometheus.CounterValue, float64(n.dropped))
}

// cacheCounts are those of a cache at one moment.
type cacheCounts struct {
	ready             bool
	revision, dropped int64
	objects, watchers int
}

func (c *cache) counts() cacheCounts {
	c.mu.Lock()
	defer c.mu.Unlock()
	return cacheCounts{
		ready: c.ready, revision: c.revision, dropped: c.dropped, objects: len(c.objects), watchers: len(c.watchers),
	}
}
