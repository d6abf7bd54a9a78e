package client

import (
	"compress/gzip"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"testing"
	"time"
)

// pager is an API server that cuts lists into pages, as kube-apiserver does
// for those who set a limit.
type pager struct {
	objects int
	// expires makes the second page of a paged list fail with 410.
	expires bool
	asked   []string // queries
}

func (p *pager) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	query := r.URL.Query()
	p.asked = append(p.asked, r.URL.RawQuery)
	from, _ := strconv.Atoi(query.Get("continue"))
	if from > 0 && p.expires {
		w.WriteHeader(http.StatusGone)
		fmt.Fprint(w, `{"kind":"Status","status":"Failure","reason":"Expired","code":410,"message":"The provided continue parameter is too old"}`)
		return
	}
	limit, _ := strconv.Atoi(query.Get("limit"))
	to, rest := p.objects, ""
	if limit > 0 && from+limit < p.objects {
		to = from + limit
		rest = fmt.Sprintf(`,"continue":"%d","remainingItemCount":%d`, to, p.objects-to)
	}
	items := make([]string, 0, to-from)
	for i := from; i < to; i++ {
		items = append(items, fmt.Sprintf(`{"metadata":{"name":"s%d"}}`, i))
	}
	fmt.Fprintf(w, `{"kind":"EndpointsList","apiVersion":"v1","metadata":{"resourceVersion":"77"%s},"items":[%s]}`, rest, strings.Join(items, ",\n "))
}

func TestListReadsAllPages(t *testing.T) {
	for objects, pages := range map[int]int{0: 1, pageItems: 1, 2*pageItems + 1: 3} {
		p := &pager{objects: objects}
		server := httptest.NewServer(p)
		list, err := New(server.URL).List(t.Context(), "endpoints", "")
		server.Close()
		if err != nil || list.ResourceVersion != 77 || len(list.Items) != objects || len(p.asked) != pages {
			t.Fatalf("%d objects: %d at %d in %d pages, %v", objects, len(list.Items), list.ResourceVersion, len(p.asked), err)
		}
		for i, item := range list.Items {
			if want := fmt.Sprintf(`{"metadata":{"name":"s%d"}}`, i); string(item) != want {
				t.Fatalf("item %d is %s", i, item)
			}
		}
	}
}

// A token stands for the version that the list began at; to name both is
// refused by kube-apiserver.
func TestListNamesItsVersionOnce(t *testing.T) {
	p := &pager{objects: pageItems + 1}
	server := httptest.NewServer(p)
	defer server.Close()
	if _, err := New(server.URL).List(t.Context(), "endpoints", "70"); err != nil {
		t.Fatal(err)
	}
	if len(p.asked) != 2 || !strings.Contains(p.asked[0], "resourceVersion=70") || strings.Contains(p.asked[1], "resourceVersion") {
		t.Errorf("asked %q", p.asked)
	}
}

func TestListBeginsAnewWhenItsRestHasExpired(t *testing.T) {
	p := &pager{objects: 2 * pageItems, expires: true}
	server := httptest.NewServer(p)
	defer server.Close()
	list, err := New(server.URL).List(t.Context(), "endpoints", "")
	if err != nil || len(list.Items) != p.objects || len(p.asked) != 3 || strings.Contains(p.asked[2], "limit") {
		t.Errorf("%d objects, asked %q, %v", len(list.Items), p.asked, err)
	}
}

// A server that would have us turn in circles is no reason to.
func TestListEndsWithAServerThatDoesNot(t *testing.T) {
	for what, body := range map[string]string{
		"same token": `{"metadata":{"resourceVersion":"1","continue":"x"},"items":[{}]}`,
		"no items":   `{"metadata":{"resourceVersion":"1","continue":"x"},"items":null}`,
	} {
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, body) }))
		if _, err := New(server.URL).List(t.Context(), "endpoints", ""); err == nil {
			t.Errorf("%s: it ended well", what)
		}
		server.Close()
	}
}

func TestListRefusesWhatIsNone(t *testing.T) {
	for what, body := range map[string]string{
		"torn":                  `{"metadata":{"resourceVersion":"1"},"items":[{"metadata":{}`,
		"no version":            `{"metadata":{},"items":[]}`,
		"version of no numbers": `{"metadata":{"resourceVersion":"a7"},"items":[]}`,
		"a page of HTML":        `<html></html>`,
		"more than a list":      `{"metadata":{"resourceVersion":"1"},"items":[]} {}`,
	} {
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, body) }))
		if list, err := New(server.URL).List(t.Context(), "endpoints", ""); err == nil {
			t.Errorf("%s: %+v", what, list)
		}
		server.Close()
	}
}

// What stands between may compress, whether it was asked to or not.
func TestCompressedAnswersAreRead(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Encoding", "gzip")
		z := gzip.NewWriter(w)
		defer func() { _ = z.Close() }() // the client has left, at worst
		if !r.URL.Query().Has("watch") {
			fmt.Fprint(z, `{"metadata":{"resourceVersion":"5"},"items":[{"metadata":{"name":"a"}}]}`)
			return
		}
		for version := 6; version < 8; version++ {
			fmt.Fprintf(z, `{"type":"ADDED","object":{"metadata":{"name":"a","resourceVersion":"%d"}}}`, version)
			_ = z.Flush()
			_ = http.NewResponseController(w).Flush()
		}
	}))
	defer server.Close()
	c := New(server.URL)
	if list, err := c.List(t.Context(), "endpoints", ""); err != nil || list.ResourceVersion != 5 || len(list.Items) != 1 {
		t.Errorf("list: %+v, %v", list, err)
	}
	w, err := c.Watch(t.Context(), "endpoints", 5)
	if err != nil {
		t.Fatal(err)
	}
	defer w.Close()
	for version := int64(6); version < 8; version++ {
		if ev, err := w.Next(); err != nil || ev.ResourceVersion != version || ev.Name != "a" {
			t.Errorf("event %+v, %v", ev, err)
		}
	}
}

func TestFailuresSayWhatIsWrong(t *testing.T) {
	soon := time.Now().Add(90 * time.Second).UTC().Format(http.TimeFormat)
	for _, c := range []struct {
		code          int
		header, body  string
		reason        string
		least, atMost time.Duration
	}{
		{429, "7", `{"kind":"Status","reason":"TooManyRequests","message":"too many requests","code":429}`, "TooManyRequests", 7 * time.Second, 7 * time.Second},
		{429, "", `{"kind":"Status","reason":"TooManyRequests","message":"too many requests","details":{"retryAfterSeconds":3},"code":429}`, "TooManyRequests", 3 * time.Second, 3 * time.Second},
		{503, soon, `overloaded`, "", 60 * time.Second, 90 * time.Second},
		{410, "", `{"kind":"Status","reason":"Expired","message":"too old resource version","code":410}`, "Expired", 0, 0},
		{500, "-3", ``, "", 0, 0},
	} {
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Retry-After", c.header)
			w.WriteHeader(c.code)
			fmt.Fprint(w, c.body)
		}))
		for verb, call := range map[string]func(*Client) error{
			"list":  func(k *Client) error { _, err := k.List(t.Context(), "endpoints", ""); return err },
			"watch": func(k *Client) error { _, err := k.Watch(t.Context(), "endpoints", 1); return err },
		} {
			var status *StatusError
			if err := call(New(server.URL)); !errors.As(err, &status) {
				t.Errorf("%s, %d: %v", verb, c.code, err)
			} else if status.Code != c.code || status.Reason != c.reason || status.RetryAfter < c.least || status.RetryAfter > c.atMost {
				t.Errorf("%s, %d: %+v", verb, c.code, status)
			}
		}
		server.Close()
	}
}
