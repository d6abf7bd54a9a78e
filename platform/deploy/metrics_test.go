package deploy

import (
	"errors"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"breakbank/platform/registry"
	"breakbank/platform/telemetry/telemetrytest"
)

func TestMetrics(t *testing.T) {
	c := &Controllers{view: newView()}
	pod := func(name string) *corev1.Pod {
		return &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Name: name, ResourceVersion: "1", Labels: map[string]string{LabelApp: "ledger"}}}
	}
	ending := pod("ledger-3")
	now := metav1.Now()
	ending.DeletionTimestamp = &now
	node := &corev1.Node{ObjectMeta: metav1.ObjectMeta{Name: "a1", ResourceVersion: "1"}}
	c.view.replace("pods", []registry.Object{pod("ledger-1"), setReady(pod("ledger-2"), corev1.ConditionTrue, "", time.Now()), ending}, 1)
	c.view.replace("nodes", []registry.Object{node, setNodeReady(&corev1.Node{ObjectMeta: metav1.ObjectMeta{Name: "b1", ResourceVersion: "1"}}, corev1.ConditionTrue, "", time.Now())}, 1)
	for _, err := range []error{nil, nil, errors.New("no quorum"), registry.ErrConflict, registry.ErrNotFound} {
		if got := c.writes.counted("pods", err); !errors.Is(got, err) {
			t.Errorf("%v became %v", err, got)
		}
	}
	text := telemetrytest.Scrape(t, NewCollector(func() *Controllers { return c }))
	telemetrytest.Wants(t, text,
		`bb_deploy_pods{service="ledger",state="ready"} 1`,
		`bb_deploy_pods{service="ledger",state="not_ready"} 1`,
		`bb_deploy_pods{service="ledger",state="terminating"} 1`,
		`bb_deploy_nodes{state="ready"} 1`,
		`bb_deploy_nodes{state="not_ready"} 1`,
		`bb_deploy_writes_total{resource="pods"} 2`,
		`bb_deploy_write_failures_total{resource="pods"} 1`,
	)
	if text := telemetrytest.Scrape(t, NewCollector(func() *Controllers { return nil })); text != "" {
		t.Errorf("without controllers: %s", text)
	}
}
