package client

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

// TestListMetadata: the API server is asked for less, and may send all the same
// whole objects; other requests of the client stay as they are.
func TestListMetadata(t *testing.T) {
	accepted := make(chan string, 2)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		accepted <- r.Header.Get("Accept")
		fmt.Fprint(w, `{"metadata":{"resourceVersion":"7"},"items":[{"metadata":{"name":"a1"}}]}`)
	}))
	defer server.Close()
	c := New(server.URL)
	defer c.Close()
	list, err := c.ListMetadata(t.Context(), "nodes", "0")
	if err != nil || len(list.Items) != 1 || list.ResourceVersion != 7 {
		t.Errorf("%+v, %v", list, err)
	}
	if got := <-accepted; !strings.Contains(got, "as=PartialObjectMetadataList") || !strings.HasSuffix(got, ",application/json") {
		t.Errorf("accepted %q", got)
	}
	if _, err := c.List(t.Context(), "nodes", ""); err != nil {
		t.Error(err)
	}
	if got := <-accepted; got != "application/json" {
		t.Errorf("accepted %q afterwards", got)
	}
}
