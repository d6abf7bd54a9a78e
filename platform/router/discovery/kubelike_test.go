package discovery

import (
	"cmp"
	"compress/gzip"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"
)

// kubelike is an API server that owes nothing to ours. It does what
// kube-apiserver does and ours does not: it cuts lists into pages, sends
// bookmarks with nothing but a version, cuts its watches off now and then, says
// that a revision is gone in either of two ways, and asks to be left alone.
type kubelike struct {
	server *httptest.Server
	token  string

	mu       sync.Mutex
	revision int64
	records  map[string]string // namespace/name → the object
	events   []kubeEvent
	oldest   int64 // a watch may begin here or later
	news     chan struct{}
	ended    chan struct{} // closed: open watches end

	pageItems   int    // 0: as many as are asked for
	goneAs      string // "status" or "event"
	compress    bool
	busyUntil   time.Time // answered with 429 until then
	askedBusy   int       // requests in that time, after the first
	lists       int
	listedSince []string // queries of lists
}

type kubeEvent struct {
	revision int64
	line     string
}

func newKubelike(t *testing.T) *kubelike {
	k := &kubelike{
		token: "secret", records: map[string]string{}, goneAs: "status", revision: 1000, oldest: 1000,
		news: make(chan struct{}), ended: make(chan struct{}),
	}
	k.server = httptest.NewServer(k)
	t.Cleanup(func() {
		k.cutOff()
		k.server.Close()
	})
	return k
}

// set writes a record, or with subsets "" deletes it.
func (k *kubelike) set(namespace, name, subsets string) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.revision += 3 // others write too
	key := namespace + "/" + name
	kind := "MODIFIED"
	if k.records[key] == "" {
		kind = "ADDED"
	}
	object := fmt.Sprintf(`{"kind":"Endpoints","apiVersion":"v1","metadata":{"name":%q,"namespace":%q,"uid":"1","resourceVersion":"%d","managedFields":[{"manager":"kube-controller-manager","fieldsV1":{"f:subsets":{}}}]},"subsets":%s}`,
		name, namespace, k.revision, cmp.Or(subsets, "null"))
	k.records[key] = object
	if subsets == "" {
		kind = "DELETED"
		delete(k.records, key)
	}
	k.events = append(k.events, kubeEvent{k.revision, `{"type":"` + kind + `","object":` + object + "}\n"})
	close(k.news)
	k.news = make(chan struct{})
}

// cutOff ends open watches, as a server does whose time for them is over.
func (k *kubelike) cutOff() {
	k.mu.Lock()
	defer k.mu.Unlock()
	close(k.ended)
	k.ended = make(chan struct{})
}

// compact forgets what has happened so far.
func (k *kubelike) compact(goneAs string) {
	k.mu.Lock()
	k.goneAs = goneAs
	k.revision++
	k.oldest, k.events = k.revision, nil
	k.mu.Unlock()
	k.cutOff()
}

// busyFor has requests turned away for a time.
func (k *kubelike) busyFor(d time.Duration) {
	k.mu.Lock()
	k.busyUntil, k.askedBusy = time.Now().Add(d), -1
	k.mu.Unlock()
	k.cutOff()
}

func (k *kubelike) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.Header.Get("Authorization") != "Bearer "+k.token {
		http.Error(w, `{"kind":"Status","code":401,"message":"Unauthorized","reason":"Unauthorized"}`, http.StatusUnauthorized)
		return
	}
	k.mu.Lock()
	busy, compress := time.Until(k.busyUntil), k.compress
	if busy > 0 {
		k.askedBusy++
	}
	k.mu.Unlock()
	if busy > 0 {
		w.Header().Set("Retry-After", strconv.Itoa(int(busy/time.Second)+1))
		http.Error(w, `{"kind":"Status","code":429,"message":"too many requests","reason":"TooManyRequests"}`, http.StatusTooManyRequests)
		return
	}
	namespace, ok := strings.CutPrefix(strings.TrimSuffix(r.URL.Path, "/endpoints"), "/api/v1")
	if !ok {
		http.NotFound(w, r)
		return
	}
	namespace = strings.TrimPrefix(namespace, "/namespaces/")
	out := &pieces{w: w}
	if compress {
		w.Header().Set("Content-Encoding", "gzip")
		out.zip = gzip.NewWriter(w)
		defer func() { _ = out.zip.Close() }() // the client has left, at worst
	}
	if r.URL.Query().Get("watch") == "" {
		k.list(out, r, namespace)
		return
	}
	k.watch(out, r, namespace)
}

func (k *kubelike) list(w *pieces, r *http.Request, namespace string) {
	query := r.URL.Query()
	k.mu.Lock()
	defer k.mu.Unlock()
	k.lists++
	k.listedSince = append(k.listedSince, r.URL.RawQuery)
	limit, _ := strconv.Atoi(query.Get("limit"))
	if k.pageItems > 0 {
		limit = min(limit, k.pageItems)
	}
	var keys []string
	for key := range k.records {
		if strings.HasPrefix(key, namespace) {
			keys = append(keys, key)
		}
	}
	slices.Sort(keys)
	revision, from := k.revision, 0
	if token := query.Get("continue"); token != "" {
		_, _ = fmt.Sscanf(token, "%d-%d", &revision, &from)
	}
	to, next := len(keys), ""
	if limit > 0 && from+limit < len(keys) {
		to = from + limit
		next = fmt.Sprintf("%d-%d", revision, to)
	}
	fmt.Fprintf(w, `{"kind":"EndpointsList","apiVersion":"v1","metadata":{"resourceVersion":"%d","continue":%q},"items":[`, revision, next)
	for i, key := range keys[from:to] {
		if i > 0 {
			fmt.Fprint(w, ",")
		}
		fmt.Fprint(w, k.records[key])
	}
	fmt.Fprint(w, "]}\n")
}

func (k *kubelike) watch(w *pieces, r *http.Request, namespace string) {
	after, _ := strconv.ParseInt(r.URL.Query().Get("resourceVersion"), 10, 64)
	k.mu.Lock()
	tooOld, goneAs, ended := after < k.oldest, k.goneAs, k.ended
	k.mu.Unlock()
	const gone = `{"kind":"Status","apiVersion":"v1","metadata":{},"status":"Failure","message":"too old resource version: 1 (2)","reason":"Expired","code":410}`
	switch {
	case tooOld && goneAs == "status":
		http.Error(w.w, gone, http.StatusGone)
		return
	case tooOld:
		fmt.Fprintf(w, `{"type":"ERROR","object":%s}`, gone)
		return
	}
	_ = http.NewResponseController(w.w).Flush()
	bookmark := time.NewTicker(50 * time.Millisecond)
	defer bookmark.Stop()
	for {
		k.mu.Lock()
		var lines strings.Builder
		for _, e := range k.events {
			if e.revision > after && strings.Contains(e.line, `"namespace":"`+namespace) {
				lines.WriteString(e.line)
			}
		}
		after = k.revision
		news := k.news
		k.mu.Unlock()
		if _, err := io.WriteString(w, lines.String()); err != nil {
			return
		}
		select {
		case <-news:
		case <-bookmark.C:
			fmt.Fprintf(w, `{"type":"BOOKMARK","object":{"kind":"Endpoints","apiVersion":"v1","metadata":{"resourceVersion":"%d","creationTimestamp":null}}}`, after)
		case <-ended:
			return
		case <-r.Context().Done():
			return
		}
	}
}

// pieces sends what is written in packets that end anywhere.
type pieces struct {
	w   http.ResponseWriter
	zip *gzip.Writer
}

func (p *pieces) Write(text []byte) (int, error) {
	var to io.Writer = p.w
	if p.zip != nil {
		to = p.zip
	}
	for rest := text; len(rest) > 0; {
		n := min(len(rest), 700)
		if _, err := to.Write(rest[:n]); err != nil {
			return 0, err
		}
		rest = rest[n:]
		if p.zip != nil {
			_ = p.zip.Flush()
		}
		if err := http.NewResponseController(p.w).Flush(); err != nil {
			return 0, err
		}
	}
	return len(text), nil
}
