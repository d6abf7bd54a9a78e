package apiserver

import (
	"testing"

	"breakbank/platform/telemetry/telemetrytest"
)

func TestMetrics(t *testing.T) {
	pods := &kindServer{cache: newCache()}
	s := &Server{cfg: Config{Name: "apiserver-a"}, kinds: map[string]*kindServer{"pods": pods, "services": {cache: newCache()}}}
	collector := NewCollector(func() []*Server { return []*Server{s} })
	telemetrytest.Wants(t, telemetrytest.Scrape(t, collector),
		`bb_apiserver_cache_ready{apiserver="apiserver-a",resource="pods"} 0`,
		`bb_apiserver_cache_revision{apiserver="apiserver-a",resource="pods"} 0`,
	)
	pods.cache.replace([]entry{{name: "ledger-1"}, {name: "ledger-2"}}, 41)
	if _, _, _, err := pods.cache.subscribeState(); err != nil {
		t.Fatal(err)
	}
	pods.cache.progress(42)
	telemetrytest.Wants(t, telemetrytest.Scrape(t, collector),
		`bb_apiserver_cache_ready{apiserver="apiserver-a",resource="pods"} 1`,
		`bb_apiserver_cache_ready{apiserver="apiserver-a",resource="services"} 0`,
		`bb_apiserver_cache_revision{apiserver="apiserver-a",resource="pods"} 42`,
		`bb_apiserver_cache_objects{apiserver="apiserver-a",resource="pods"} 2`,
		`bb_apiserver_watchers{apiserver="apiserver-a",resource="pods"} 1`,
		`bb_apiserver_watchers_dropped_total{apiserver="apiserver-a",resource="pods"} 0`,
	)
	pods.cache.replace(nil, 50)
	telemetrytest.Wants(t, telemetrytest.Scrape(t, collector),
		`bb_apiserver_watchers{apiserver="apiserver-a",resource="pods"} 0`,
		`bb_apiserver_watchers_dropped_total{apiserver="apiserver-a",resource="pods"} 1`,
	)
}
