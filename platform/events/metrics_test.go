package events_test

import (
	"strings"
	"testing"

	"breakbank/platform/events"
	"breakbank/platform/telemetry/telemetrytest"
)

func TestMetrics(t *testing.T) {
	s := start(t)
	running := true
	collector := events.NewCollector(func() *events.Server {
		if !running {
			return nil
		}
		return s.Server
	})
	connect(t, s)
	text := telemetrytest.Scrape(t, collector)
	telemetrytest.Wants(t, text, "bb_events_slow_consumers_total 0")
	if n := strings.Count(text, "\nbb_events_stream_messages{stream="); n < 3 {
		t.Errorf("%d streams", n)
	}
	if !strings.Contains(text, "\nbb_events_api_requests_total ") || !strings.Contains(text, "\nbb_events_connections ") {
		t.Errorf("says only\n%s", text)
	}
	running = false
	if text := telemetrytest.Scrape(t, collector); text != "" {
		t.Errorf("without a server: %s", text)
	}
}
