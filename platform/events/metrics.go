package events

import (
	"github.com/nats-io/nats-server/v2/server"
	"github.com/prometheus/client_golang/prometheus"
)

// NewCollector returns the metrics of an embedded server that may be replaced:
// current is asked at each scrape, from any goroutine, and returns nil while
// there is none.
func NewCollector(current func() *Server) prometheus.Collector {
	desc := func(name, help string, labels ...string) *prometheus.Desc {
		return prometheus.NewDesc("bb_events_"+name, help, labels, nil)
	}
	return &collector{
		current:     current,
		connections: desc("connections", "Clients' connections."),
		slow:        desc("slow_consumers_total", "Connections ended because they took their messages too slowly."),
		requests:    desc("api_requests_total", "Requests to JetStream's API."),
		errors:      desc("api_errors_total", "Requests to JetStream's API that failed."),
		messages:    desc("stream_messages", "Messages in a stream.", "stream"),
		bytes:       desc("stream_bytes", "Bytes of a stream.", "stream"),
		sequence:    desc("stream_sequence", "Sequence of the last message of a stream.", "stream"),
		consumers:   desc("stream_consumers", "Consumers of a stream.", "stream"),
	}
}

type collector struct {
	current func() *Server

	connections, slow, requests, errors, messages, bytes, sequence, consumers *prometheus.Desc
}

func (c *collector) Describe(to chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{
		c.connections, c.slow, c.requests, c.errors, c.messages, c.bytes, c.sequence, c.consumers,
	} {
		to <- d
	}
}

func (c *collector) Collect(to chan<- prometheus.Metric) {
	s := c.current()
	if s == nil {
		return
	}
	tell := func(d *prometheus.Desc, kind prometheus.ValueType, v float64, labels ...string) {
		to <- prometheus.MustNewConstMetric(d, kind, v, labels...)
	}
	tell(c.connections, prometheus.GaugeValue, float64(s.nats.NumClients()))
	tell(c.slow, prometheus.CounterValue, float64(s.nats.NumSlowConsumers()))
	info, err := s.nats.Jsz(&server.JSzOptions{Accounts: true, Streams: true})
	if err != nil {
		return // it is shutting down
	}
	tell(c.requests, prometheus.CounterValue, float64(info.API.Total))
	tell(c.errors, prometheus.CounterValue, float64(info.API.Errors))
	for _, account := range info.AccountDetails {
		for _, stream := range account.Streams {
			tell(c.messages, prometheus.GaugeValue, float64(stream.State.Msgs), stream.Name)
			tell(c.bytes, prometheus.GaugeValue, float64(stream.State.Bytes), stream.Name)
			tell(c.sequence, prometheus.GaugeValue, float64(stream.State.LastSeq), stream.Name)
			tell(c.consumers, prometheus.GaugeValue, float64(stream.State.Consumers), stream.Name)
		}
	}
}
