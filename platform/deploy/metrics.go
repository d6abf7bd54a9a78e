package deploy

import (
	"errors"
	"sync"

	"github.com/prometheus/client_golang/prometheus"
	corev1 "k8s.io/api/core/v1"

	"breakbank/platform/registry"
)

// writeCounts counts writes to the registry by resource. A nil one counts
// nothing. It is safe for concurrent use.
type writeCounts struct {
	mu           sync.Mutex
	done, failed map[string]int64
}

// counted counts a write that ended with err, which it returns. That an object
// has changed or gone meanwhile, or is there already, is an answer and no
// failure; nor is it a write.
func (w *writeCounts) counted(resource string, err error) error {
	if w == nil || errors.Is(err, registry.ErrConflict) || errors.Is(err, registry.ErrNotFound) || errors.Is(err, registry.ErrExists) {
		return err
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.done == nil {
		w.done, w.failed = map[string]int64{}, map[string]int64{}
	}
	if err == nil {
		w.done[resource]++
	} else {
		w.failed[resource]++
	}
	return err
}

// NewCollector returns the metrics of controllers that may be replaced: current
// is asked at each scrape, from any goroutine, and returns nil while there are
// none.
func NewCollector(current func() *Controllers) prometheus.Collector {
	desc := func(name, help string, labels ...string) *prometheus.Desc {
		return prometheus.NewDesc("bb_deploy_"+name, help, labels, nil)
	}
	return &collector{
		current: current,
		writes:  desc("writes_total", "Objects that the controllers have written or deleted.", "resource"),
		failed:  desc("write_failures_total", "Writes of the controllers that failed.", "resource"),
		pods:    desc("pods", "Instances, by service and state: ready, not_ready or terminating.", "service", "state"),
		nodes:   desc("nodes", "Nodes, by state: ready or not_ready.", "state"),
	}
}

type collector struct {
	current func() *Controllers

	writes, failed, pods, nodes *prometheus.Desc
}

func (c *collector) Describe(to chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{c.writes, c.failed, c.pods, c.nodes} {
		to <- d
	}
}

func (c *collector) Collect(to chan<- prometheus.Metric) {
	controllers := c.current()
	if controllers == nil {
		return
	}
	c.written(to, &controllers.writes)
	pods := map[[2]string]int{}
	for _, pod := range controllers.view.pods() {
		pods[[2]string{pod.Labels[LabelApp], stateOf(pod)}]++
	}
	for of, n := range pods {
		to <- prometheus.MustNewConstMetric(c.pods, prometheus.GaugeValue, float64(n), of[0], of[1])
	}
	nodes := map[string]int{"ready": 0, "not_ready": 0}
	for _, node := range controllers.view.nodes() {
		nodes[nodeState(node)]++
	}
	for state, n := range nodes {
		to <- prometheus.MustNewConstMetric(c.nodes, prometheus.GaugeValue, float64(n), state)
	}
}

func (c *collector) written(to chan<- prometheus.Metric, w *writeCounts) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for resource, n := range w.done {
		to <- prometheus.MustNewConstMetric(c.writes, prometheus.CounterValue, float64(n), resource)
	}
	for resource, n := range w.failed {
		to <- prometheus.MustNewConstMetric(c.failed, prometheus.CounterValue, float64(n), resource)
	}
}

func stateOf(pod *corev1.Pod) string {
	switch {
	case isTerminating(pod):
		return "terminating"
	case isReady(pod):
		return "ready"
	default:
		return "not_ready"
	}
}

func nodeState(node *corev1.Node) string {
	for _, c := range node.Status.Conditions {
		if c.Type == corev1.NodeReady && c.Status == corev1.ConditionTrue {
			return "ready"
		}
	}
	return "not_ready"
}
