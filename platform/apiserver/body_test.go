package apiserver

import (
	"net/http"
	"strings"
	"testing"

	"breakbank/platform/registry"
)

// What is too large is told so, whatever the request is for and whoever finds
// out: the server, etcd's client, or etcd.
func TestTooLargeBodies(t *testing.T) {
	t.Parallel()
	b := newBed(t)
	s, base := b.start(nil, nil)
	t.Cleanup(func() { b.close(s) })
	b.waitReady(s)
	maps := "/api/v1/namespaces/" + registry.Namespace + "/configmaps"
	object := func(size int) string {
		return `{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"large"},"data":{"v":"` + strings.Repeat("x", size) + `"}}`
	}
	for name, c := range map[string]struct {
		method, path, body string
		want               int
	}{
		"1 MiB":                    {http.MethodPost, maps, object(1 << 20), http.StatusCreated},
		"more than etcd takes":     {http.MethodPost, maps, object(1800 << 10), http.StatusRequestEntityTooLarge},
		"more than is sent to it":  {http.MethodPost, maps, object(2500 << 10), http.StatusRequestEntityTooLarge},
		"more than is read":        {http.MethodPost, maps, object(maxBodyBytes), http.StatusRequestEntityTooLarge},
		"with a deletion":          {http.MethodDelete, maps + "/none", object(maxBodyBytes), http.StatusRequestEntityTooLarge},
		"for a kind that is not":   {http.MethodPost, "/api/v1/secrets", object(maxBodyBytes), http.StatusRequestEntityTooLarge},
		"with a list, unasked-for": {http.MethodGet, maps, object(maxBodyBytes), http.StatusRequestEntityTooLarge},
	} {
		t.Run(name, func(t *testing.T) {
			req, err := http.NewRequestWithContext(t.Context(), c.method, base+c.path, strings.NewReader(c.body))
			if err != nil {
				t.Fatal(err)
			}
			resp, err := http.DefaultClient.Do(req)
			if err != nil {
				t.Fatal(err)
			}
			resp.Body.Close()
			if resp.StatusCode != c.want {
				t.Errorf("answered with %d, want %d", resp.StatusCode, c.want)
			}
		})
	}
	http.DefaultClient.CloseIdleConnections()
}
