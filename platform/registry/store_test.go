package registry

import (
	"context"
	"encoding/json"
	"errors"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

func TestStore(t *testing.T) {
	t.Parallel()
	c := startCluster(t, 1)
	client := newClient(t, c)
	s := NewStore(client)
	t.Run("create, update, conflict, delete", func(t *testing.T) { testWrites(t, s) })
	t.Run("a Service takes its Endpoints along", func(t *testing.T) { testServiceDelete(t, s) })
	t.Run("watch", func(t *testing.T) { testWatch(t, s) })
	t.Run("watch of compacted revisions", func(t *testing.T) {
		_, revision, err := s.ListRaw(t.Context(), "pods", ReadOptions{})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := client.Compact(t.Context(), revision); err != nil {
			t.Fatal(err)
		}
		events, err := s.Watch(t.Context(), "pods", 1)
		if err != nil {
			t.Fatal(err)
		}
		if ev := <-events; ev.Type != Error || !strings.Contains(ev.Err.Error(), "compacted") {
			t.Errorf("got %+v, want an error about compaction", ev)
		}
		if _, open := <-events; open {
			t.Error("channel still open after the error")
		}
	})
}

func configMap(name, value string) *corev1.ConfigMap {
	return &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Name: name}, Data: map[string]string{"v": value}}
}

func testWrites(t *testing.T, s *Store) {
	ctx := t.Context()
	obj := configMap("router", "1")
	if err := s.Create(ctx, "configmaps", obj); err != nil {
		t.Fatal(err)
	}
	if obj.ResourceVersion == "" || obj.UID == "" || obj.Namespace != Namespace || obj.CreationTimestamp.IsZero() {
		t.Errorf("not filled in: %+v", obj.ObjectMeta)
	}
	if err := s.Create(ctx, "configmaps", configMap("router", "2")); !errors.Is(err, ErrExists) {
		t.Errorf("second create: %v", err)
	}
	var read corev1.ConfigMap
	if err := s.Get(ctx, "configmaps", "router", &read); err != nil {
		t.Fatal(err)
	}
	if read.ResourceVersion != obj.ResourceVersion || read.Data["v"] != "1" || read.Kind != "ConfigMap" {
		t.Errorf("read back %+v", read)
	}
	read.Data["v"] = "2"
	if err := s.Update(ctx, "configmaps", &read); err != nil {
		t.Fatal(err)
	}
	obj.Data["v"] = "3"
	if err := s.Update(ctx, "configmaps", obj); !errors.Is(err, ErrConflict) {
		t.Errorf("update of an old version: %v", err)
	}
	if err := s.Update(ctx, "configmaps", configMap("router", "4")); err != nil {
		t.Errorf("update without a version: %v", err)
	}
	if err := s.Update(ctx, "configmaps", configMap("nobody", "1")); !errors.Is(err, ErrNotFound) {
		t.Errorf("update of nothing: %v", err)
	}
	if err := s.Create(ctx, "pods", configMap("x", "1")); err == nil {
		t.Error("a ConfigMap was stored as a pod")
	}
	raws, revision, err := s.ListRaw(ctx, "configmaps", ReadOptions{Serializable: true})
	if err != nil || len(raws) != 1 || raws[0].Name != "router" || raws[0].Revision != revision {
		t.Errorf("list: %+v at %d, %v", raws, revision, err)
	}
	if err := s.Delete(ctx, "configmaps", "router"); err != nil {
		t.Error(err)
	}
	if err := s.Delete(ctx, "configmaps", "router"); !errors.Is(err, ErrNotFound) {
		t.Errorf("second delete: %v", err)
	}
	if err := s.Get(ctx, "configmaps", "router", &read); !errors.Is(err, ErrNotFound) {
		t.Errorf("get of nothing: %v", err)
	}
	if _, _, err := s.ListRaw(ctx, "unicorns", ReadOptions{}); !errors.Is(err, ErrUnknownResource) {
		t.Errorf("unknown resource: %v", err)
	}
}

func testServiceDelete(t *testing.T, s *Store) {
	ctx := t.Context()
	for _, name := range []string{"pots", "pots-archive"} {
		meta := metav1.ObjectMeta{Name: name}
		for resource, obj := range map[string]Object{
			"services":       &corev1.Service{ObjectMeta: meta},
			"endpoints":      &Endpoints{ObjectMeta: meta},
			"endpointslices": &discoveryv1.EndpointSlice{ObjectMeta: meta},
		} {
			if err := s.Create(ctx, resource, obj); err != nil {
				t.Fatal(err)
			}
		}
	}
	_, before, err := s.ListRaw(ctx, "services", ReadOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Delete(ctx, "services", "pots"); err != nil {
		t.Fatal(err)
	}
	for _, resource := range []string{"services", "endpoints", "endpointslices"} {
		raws, revision, err := s.ListRaw(ctx, resource, ReadOptions{})
		if err != nil {
			t.Fatal(err)
		}
		if len(raws) != 1 || raws[0].Name != "pots-archive" {
			t.Errorf("%s left: %+v", resource, raws)
		}
		if revision != before+1 {
			t.Errorf("%s: deletion took %d revisions, want one transaction", resource, revision-before)
		}
	}
}

func testWatch(t *testing.T, s *Store) {
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	_, revision, err := s.ListRaw(ctx, "configmaps", ReadOptions{})
	if err != nil {
		t.Fatal(err)
	}
	obj := configMap("seen", "1")
	if err := s.Create(ctx, "configmaps", obj); err != nil {
		t.Fatal(err)
	}
	events, err := s.Watch(ctx, "configmaps", revision+1)
	if err != nil {
		t.Fatal(err)
	}
	if ev := <-events; ev.Type != Put || ev.Raw.Name != "seen" || ev.Previous.JSON != nil {
		t.Errorf("create seen as %+v", ev)
	}
	obj.Data["v"] = "2"
	if err := s.Update(ctx, "configmaps", obj); err != nil {
		t.Fatal(err)
	}
	if ev := <-events; ev.Type != Put || ev.Previous.JSON == nil || ev.Raw.Revision != ev.Revision {
		t.Errorf("update seen as %+v", ev)
	}
	if err := s.Delete(ctx, "configmaps", "seen"); err != nil {
		t.Fatal(err)
	}
	ev := <-events
	if ev.Type != Delete || !strings.Contains(string(ev.Raw.JSON), `"v":"2"`) {
		t.Errorf("delete seen as %+v", ev)
	}
	if err := s.RequestProgress(ctx); err != nil {
		t.Fatal(err)
	}
	if p := <-events; p.Type != Progress || p.Revision < ev.Revision {
		t.Errorf("progress seen as %+v after revision %d", p, ev.Revision)
	}
	cancel()
	for range events { //nolint:revive // must close
	}
}

func TestEncodeWritesNullSubsets(t *testing.T) {
	for _, tc := range []struct {
		name    string
		subsets []corev1.EndpointSubset //nolint:staticcheck // see Endpoints
		want    string
	}{
		{"none", nil, `"subsets":null`},
		{"empty", []corev1.EndpointSubset{}, `"subsets":null`}, //nolint:staticcheck // as above
		{"one", []corev1.EndpointSubset{{Ports: []corev1.EndpointPort{{Port: 1}}}}, `"subsets":[{"ports":[{"port":1`}, //nolint:staticcheck // as above
	} {
		obj := &Endpoints{ObjectMeta: metav1.ObjectMeta{Name: "pots", ResourceVersion: "7"}, Subsets: tc.subsets}
		stored, err := Encode(obj)
		if err != nil {
			t.Fatal(err)
		}
		if !json.Valid(stored) || !strings.Contains(string(stored), tc.want) || !strings.Contains(string(stored), `"kind":"Endpoints","apiVersion":"v1"`) {
			t.Errorf("%s: %s", tc.name, stored)
		}
		if strings.Contains(string(stored), "resourceVersion") || obj.ResourceVersion != "7" {
			t.Errorf("%s: resourceVersion stored, or taken from the caller's object: %s", tc.name, stored)
		}
		if back, err := Decode("endpoints", stored); err != nil || back.GetName() != "pots" {
			t.Errorf("%s: decoded %v, %v", tc.name, back, err)
		}
	}
}

func TestWithRevision(t *testing.T) {
	for _, tc := range []struct{ stored, want string }{
		{`{"metadata":{"name":"a"},"subsets":null}`, `{"metadata":{"resourceVersion":"42","name":"a"},"subsets":null}`},
		{`{"metadata":{}}`, `{"metadata":{"resourceVersion":"42"}}`},
		{`{"metadata":{ }, "x" : 1.50 }`, `{"metadata":{"resourceVersion":"42"}, "x" : 1.50 }`},
		{`{"a":{"metadata":1},"metadata": {"resourceVersion": "3" ,"name":"a"}}`, `{"a":{"metadata":1},"metadata": {"resourceVersion": "42" ,"name":"a"}}`},
		{`{"spec":{}}`, ""},
		{`[]`, ""},
		{`{"metadata":7}`, ""},
		{`{"metadata":`, ""},
		{``, ""},
	} {
		got, err := Raw{Name: "a", Revision: 42, JSON: []byte(tc.stored)}.WithRevision()
		if string(got) != tc.want || (err != nil) != (tc.want == "") {
			t.Errorf("%s\n got %s, %v\nwant %s", tc.stored, got, err, tc.want)
		}
	}
}
