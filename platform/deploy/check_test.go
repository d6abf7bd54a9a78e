package deploy

import (
	"strings"
	"testing"

	appsv1 "k8s.io/api/apps/v1"
)

func TestCheck(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		replicas int32
		version  string
		want     string // "" is right
	}{
		{0, "v1", ""},
		{ReplicasMax, "2026-11-22", ""},
		{1, "", ""},
		{-1, "v1", "from 0 to 100"},
		{ReplicasMax + 1, "v1", "from 0 to 100"},
		{1, "../../x", "of a-z, 0-9 and '-'"},
		{1, "v9/../x", "of a-z, 0-9 and '-'"},
		{1, "v1.2", "of a-z, 0-9 and '-'"},
		{1, strings.Repeat("v", 64), "1 to 63"},
	} {
		d := &appsv1.Deployment{}
		d.Name, d.Spec.Replicas = "ledger", &c.replicas
		d.Spec.Template.Annotations = map[string]string{AnnotationVersion: c.version, AnnotationNodes: "a1"}
		wrong := Check(d)
		if c.want == "" && len(wrong) > 0 || c.want != "" && !strings.Contains(wrong.ToAggregate().Error(), c.want) {
			t.Errorf("%d of %q: %v, want %q", c.replicas, c.version, wrong, c.want)
		}
		// What is in etcd nobody may have checked.
		if _, err := placement(d); (err == nil) != (c.want == "" && c.version != "") {
			t.Errorf("%d of %q is placed: %v", c.replicas, c.version, err)
		}
	}
}
