package admin

import (
	"fmt"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus/testutil/promlint"
	"google.golang.org/grpc/codes"

	"breakbank/platform/router"
)

func TestMetrics(t *testing.T) {
	s := newStub()
	code, text := get(t, New(s, facts), "/metrics")
	if code != 200 {
		t.Fatalf("%d: %s", code, text)
	}
	for _, want := range []string{
		`bb_router_requests_total{code="OK",service="ledger"} 3`,
		`bb_router_requests_total{code="Aborted",service="ledger"} 1`,
		`bb_router_requests_total{code="Unavailable",service="_unknown"} 2`,
		`bb_router_attempts_total{service="ledger"} 6`,
		`bb_router_retries_total{service="ledger"} 1`,
		`bb_router_refused_total{service="_unknown"} 2`,
		`bb_router_ejections_total{service="ledger"} 2`,
		`bb_router_endpoints{service="ledger",state="usable"} 1`,
		`bb_router_endpoints{service="ledger",state="ejected"} 1`,
		`bb_router_endpoints{service="ledger",state="unreachable"} 0`,
		`bb_router_request_duration_seconds_bucket{service="ledger",le="0.002"} 3`,
		`bb_router_request_duration_seconds_bucket{service="ledger",le="+Inf"} 4`,
		`bb_router_request_duration_seconds_sum{service="ledger"} 0.04`,
		`bb_router_routes_total{route="live"} 4`,
		`bb_router_discovery_source{source="apiserver 127.0.0.1:8001"} 1`,
		`bb_router_discovery_synced 1`, `bb_router_discovery_poisoned 0`, `bb_router_discovery_etcd_reads_total 1`,
		`bb_router_table_revision 42`, `bb_router_table_services 2`, `bb_router_table_age_seconds`,
		`bb_router_streams 1`, `bb_router_connections 9`, `bb_router_waiting 3`,
		`bb_router_build_info{version="v1.2.3"} 1`, `go_goroutines`, `process_open_fds`,
	} {
		if !strings.Contains(text, want) {
			t.Errorf("does not say %s", want)
		}
	}
	if strings.Contains(text, `"unused"`) {
		t.Error("a service that nobody asked for has series")
	}
	problems, err := promlint.New(strings.NewReader(text)).Lint()
	if err != nil || len(problems) > 0 {
		t.Errorf("against the conventions: %v, %v", problems, err)
	}
}

// However many services there are, the number of series has a bound.
func TestMetricsAreBounded(t *testing.T) {
	s := newStub()
	s.metrics.Services = nil
	for i := range 3 * maxLabelled {
		s.metrics.Services = append(s.metrics.Services, router.ServiceMetrics{
			Name: fmt.Sprintf("s%05d", i), Requests: 1, Codes: map[codes.Code]int64{codes.OK: 1},
		})
	}
	_, text := get(t, New(s, facts), "/metrics")
	if n := strings.Count(text, "\nbb_router_attempts_total{"); n != maxLabelled+2 {
		t.Errorf("%d services have series", n)
	}
	want := fmt.Sprintf(`bb_router_requests_total{code="OK",service="_other"} %d`, 2*maxLabelled)
	if !strings.Contains(text, want) {
		t.Errorf("does not say %s", want)
	}
}
