package apiserver

import (
	"errors"
	"net/http"
	"strconv"
	"strings"
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"breakbank/platform/apiserver/client"
	"breakbank/platform/registry"
)

func TestServer(t *testing.T) {
	t.Parallel()
	b := newBed(t)
	s, base := b.start(nil, nil)
	t.Cleanup(func() { b.close(s) })
	b.waitReady(s)
	c := b.client(base)
	t.Run("a null goes through unchanged", func(t *testing.T) { testNull(t, b, c) })
	t.Run("write, patch, conflict, delete", func(t *testing.T) { testWrites(t, c) })
	t.Run("status and scale", func(t *testing.T) { testSubresources(t, b, c) })
	t.Run("bookmarks follow the registry", func(t *testing.T) { testBookmarks(t, b, c) })
	t.Run("errors", func(t *testing.T) { testErrors(t, c, base) })
	t.Run("too old", func(t *testing.T) { testTooOld(t, b, c) })
}

// What lies in etcd is what a router reads, whichever way it reads: with the
// null, and with fields that no type knows.
func testNull(t *testing.T, b *bed, c *client.Client) {
	ctx := t.Context()
	before, err := c.List(ctx, "endpoints", "")
	if err != nil {
		t.Fatal(err)
	}
	stored := `{"kind":"Endpoints","apiVersion":"v1","metadata":{"name":"pots","namespace":"default"},"extra":[1.50],"subsets":null}`
	revision, err := b.store.PutRaw(ctx, "endpoints", "pots", []byte(stored))
	if err != nil {
		t.Fatal(err)
	}
	version := strconv.FormatInt(revision, 10)
	want := strings.Replace(stored, `"metadata":{`, `"metadata":{"resourceVersion":"`+version+`",`, 1)
	w, err := c.Watch(ctx, "endpoints", before.ResourceVersion)
	if err != nil {
		t.Fatal(err)
	}
	defer w.Close()
	if ev := next(t, w); ev.Type != client.Added || string(ev.Object) != want || ev.ResourceVersion != revision {
		t.Errorf("watch: %s at %d: %s\nwant %s", ev.Type, ev.ResourceVersion, ev.Object, want)
	}
	if got, err := c.Get(ctx, "endpoints", "pots"); err != nil || string(got) != want {
		t.Errorf("get: %s, %v", got, err)
	}
	for _, at := range []string{"", "0", version} {
		list, err := c.List(ctx, "endpoints", at)
		if err != nil || len(list.Items) != 1 || string(list.Items[0]) != want || list.ResourceVersion < revision {
			t.Errorf("list at %q: %+v, %v", at, list, err)
		}
	}
	all, err := c.Watch(ctx, "endpoints", 0)
	if err != nil {
		t.Fatal(err)
	}
	defer all.Close()
	if ev := next(t, all); ev.Type != client.Added || string(ev.Object) != want {
		t.Errorf("watch from 0: %s: %s", ev.Type, ev.Object)
	}
	if err := c.Delete(ctx, "endpoints", "pots"); err != nil {
		t.Fatal(err)
	}
	if ev := next(t, w); ev.Type != client.Deleted || !strings.Contains(string(ev.Object), `"subsets":null`) || ev.ResourceVersion <= revision {
		t.Errorf("deletion seen as %s at %d: %s", ev.Type, ev.ResourceVersion, ev.Object)
	}
}

func testWrites(t *testing.T, c *client.Client) {
	ctx := t.Context()
	if _, err := c.Create(ctx, "configmaps", configMapOf("written", "1")); err != nil {
		t.Fatal(err)
	}
	wantStatus(t, "second create", errorOf(c.Create(ctx, "configmaps", configMapOf("written", "1"))), http.StatusConflict, metav1.StatusReasonAlreadyExists)
	got, err := c.MergePatch(ctx, "configmaps", "written", []byte(`{"data":{"w":"2","v":null}}`), "")
	if err != nil || !strings.Contains(string(got), `"data":{"w":"2"}`) {
		t.Errorf("merge patch: %s, %v", got, err)
	}
	old := configMapOf("written", "3")
	old.ResourceVersion = "1"
	wantStatus(t, "update of an old version", errorOf(c.Update(ctx, "configmaps", "written", old, "")), http.StatusConflict, metav1.StatusReasonConflict)
	wantStatus(t, "patch of an old version", errorOf(c.MergePatch(ctx, "configmaps", "written", []byte(`{"metadata":{"resourceVersion":"1"}}`), "")), http.StatusConflict, metav1.StatusReasonConflict)
	if got, err := c.Update(ctx, "configmaps", "written", configMapOf("written", "4"), ""); err != nil || !strings.Contains(string(got), `"v":"4"`) {
		t.Errorf("update: %s, %v", got, err)
	}
	if err := c.Delete(ctx, "configmaps", "written"); err != nil {
		t.Error(err)
	}
	wantStatus(t, "second delete", c.Delete(ctx, "configmaps", "written"), http.StatusNotFound, metav1.StatusReasonNotFound)
}

// An update of a pod leaves its status, one of its status the rest.
func testSubresources(t *testing.T, b *bed, c *client.Client) {
	ctx := t.Context()
	pod := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Name: "ledger-v1-1-a2"}, Spec: corev1.PodSpec{NodeName: "a2"}}
	b.create("pods", pod)
	sent := pod.DeepCopy()
	sent.ResourceVersion = ""
	sent.Spec.NodeName = "b2"
	sent.Status.Phase = corev1.PodRunning
	got, err := c.Update(ctx, "pods", pod.Name, sent, "status")
	if err != nil || !strings.Contains(string(got), `"phase":"Running"`) || !strings.Contains(string(got), `"nodeName":"a2"`) {
		t.Errorf("status: %s, %v", got, err)
	}
	sent.Status.Phase = corev1.PodFailed
	got, err = c.Update(ctx, "pods", pod.Name, sent, "")
	if err != nil || !strings.Contains(string(got), `"phase":"Running"`) || !strings.Contains(string(got), `"nodeName":"b2"`) {
		t.Errorf("object: %s, %v", got, err)
	}
	got, err = c.MergePatch(ctx, "pods", pod.Name, []byte(`{"status":{"podIP":"127.0.0.1"},"spec":{"nodeName":"c2"}}`), "status")
	if err != nil || !strings.Contains(string(got), `"podIP":"127.0.0.1"`) || !strings.Contains(string(got), `"nodeName":"b2"`) {
		t.Errorf("status patch: %s, %v", got, err)
	}
	three := int32(3)
	b.create("deployments", &appsv1.Deployment{ObjectMeta: metav1.ObjectMeta{Name: "ledger"}, Spec: appsv1.DeploymentSpec{Replicas: &three}})
	got, err = c.MergePatch(ctx, "deployments", "ledger", []byte(`{"spec":{"replicas":0}}`), "scale")
	if err != nil || !strings.Contains(string(got), `"kind":"Scale"`) {
		t.Errorf("scale: %s, %v", got, err)
	}
	var scaled appsv1.Deployment
	if err := b.store.Get(ctx, "deployments", "ledger", &scaled); err != nil || *scaled.Spec.Replicas != 0 {
		t.Errorf("scaled to %+v, %v", scaled.Spec.Replicas, err)
	}
	for what, subresource := range map[string]string{
		`{"spec":{"replicas":-1}}`:   "scale",
		`{"spec":{"replicas":9999}}`: "scale",
		`{"spec":{"replicas":101}}`:  "",
		`{"spec":{"template":{"metadata":{"annotations":{"breakbank/version":"../x"}}}}}`: "",
	} {
		wantStatus(t, what, errorOf(c.MergePatch(ctx, "deployments", "ledger", []byte(what), subresource)), http.StatusUnprocessableEntity, metav1.StatusReasonInvalid)
	}
}

// A bookmark carries the revision that etcd has confirmed: writes to another
// kind move it on.
func testBookmarks(t *testing.T, b *bed, c *client.Client) {
	list, err := c.List(t.Context(), "services", "")
	if err != nil {
		t.Fatal(err)
	}
	w, err := c.Watch(t.Context(), "services", list.ResourceVersion)
	if err != nil {
		t.Fatal(err)
	}
	defer w.Close()
	other := configMapOf("elsewhere", "1")
	b.create("configmaps", other)
	wanted, err := strconv.ParseInt(other.ResourceVersion, 10, 64)
	if err != nil {
		t.Fatal(err)
	}
	for last := int64(0); last < wanted; {
		ev := nextAny(t, w)
		if ev.Type != client.Bookmark || ev.ResourceVersion < last {
			t.Fatalf("got %s at %d after %d", ev.Type, ev.ResourceVersion, last)
		}
		last = ev.ResourceVersion
	}
}

func testErrors(t *testing.T, c *client.Client, base string) {
	wantStatus(t, "get of nothing", errorOf(c.Get(t.Context(), "pods", "nobody")), http.StatusNotFound, metav1.StatusReasonNotFound)
	wantStatus(t, "list of the future", errorOf(c.List(t.Context(), "pods", "999999999")), http.StatusGatewayTimeout, metav1.StatusReasonTimeout)
	for _, tc := range []struct {
		method, path, contentType, body string
		code                            int
	}{
		{http.MethodGet, "/api/v1/pods?resourceVersion=x", "", "", http.StatusBadRequest},
		{http.MethodGet, "/api/v1/pods?labelSelector=(", "", "", http.StatusBadRequest},
		{http.MethodGet, "/api/v1/pods?fieldSelector=spec.colour%3Dred", "", "", http.StatusBadRequest},
		{http.MethodGet, "/api/v1/unicorns", "", "", http.StatusNotFound},
		{http.MethodGet, "/api/v1/namespaces/default/configmaps/x/scale", "", "", http.StatusNotFound},
		{http.MethodPost, "/api/v1/namespaces/default/configmaps", "application/json", "{", http.StatusBadRequest},
		{http.MethodPost, "/api/v1/namespaces/default/configmaps", "application/json", `{"kind":"Pod","apiVersion":"v1","metadata":{"name":"x"}}`, http.StatusBadRequest},
		{http.MethodPost, "/api/v1/namespaces/default/configmaps", "application/json", `{"metadata":{"name":"No Name"}}`, http.StatusUnprocessableEntity},
		{http.MethodPost, "/api/v1/namespaces/default/configmaps", "application/json", `{}`, http.StatusUnprocessableEntity},
		{http.MethodPost, "/api/v1/namespaces/default/configmaps", "application/vnd.kubernetes.protobuf", `k8s`, http.StatusUnsupportedMediaType},
		{http.MethodPost, "/api/v1/namespaces/elsewhere/configmaps", "application/json", `{"metadata":{"name":"x"}}`, http.StatusNotFound},
		{http.MethodPatch, "/api/v1/namespaces/default/configmaps/elsewhere", "application/merge-patch+json", `[`, http.StatusBadRequest},
		{http.MethodPatch, "/api/v1/namespaces/default/configmaps/elsewhere", "application/apply-patch+yaml", `{}`, http.StatusUnsupportedMediaType},
		{http.MethodDelete, "/api/v1/namespaces/default/configmaps", "", "", http.StatusMethodNotAllowed},
	} {
		req, err := http.NewRequestWithContext(t.Context(), tc.method, base+tc.path, strings.NewReader(tc.body))
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Content-Type", tc.contentType)
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		if resp.StatusCode != tc.code {
			t.Errorf("%s %s %s: %d, want %d", tc.method, tc.path, tc.body, resp.StatusCode, tc.code)
		}
	}
}

func testTooOld(t *testing.T, b *bed, c *client.Client) {
	ctx := t.Context()
	_, revision, err := b.store.ListRaw(ctx, "services", registry.ReadOptions{})
	if err != nil {
		t.Fatal(err)
	}
	// A new server's cache begins now: it knows nothing of what was before.
	fresh, base := b.start(nil, nil)
	defer b.close(fresh)
	b.waitReady(fresh)
	_, err = b.client(base).Watch(ctx, "services", revision-1)
	wantStatus(t, "watch from before the cache's start", err, http.StatusGone, metav1.StatusReasonExpired)
	w, err := b.client(base).Watch(ctx, "services", revision)
	if err != nil {
		t.Fatalf("watch from the cache's start: %v", err)
	}
	w.Close()
	if _, err := b.etcd.Compact(ctx, revision); err != nil {
		t.Fatal(err)
	}
	resp, err := http.Get(base + "/api/v1/services?resourceVersionMatch=Exact&resourceVersion=" + strconv.FormatInt(revision-1, 10))
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusGone {
		t.Errorf("list at a compacted revision: %d, want 410", resp.StatusCode)
	}
}

func errorOf[T any](_ T, err error) error { return err }

func wantStatus(t *testing.T, what string, err error, code int, reason metav1.StatusReason) {
	t.Helper()
	var failure *client.StatusError
	if !errors.As(err, &failure) || failure.Code != code || failure.Reason != string(reason) {
		t.Errorf("%s: %v, want %d %s", what, err, code, reason)
	}
}
