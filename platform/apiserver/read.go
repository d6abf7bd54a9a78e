package apiserver

import (
	"context"
	"errors"
	"net/http"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"breakbank/platform/registry"
)

// freshnessLimit is how long a read at a version waits for the cache to get
// there, as in Kubernetes.
const freshnessLimit = 3 * time.Second

// serveGet answers with one object: from etcd, or from the cache if the client
// gave a resourceVersion.
func (k *kindServer) serveGet(w http.ResponseWriter, r *http.Request, req request) error {
	opts, err := parseReadOptions(r)
	if err != nil {
		return err
	}
	var e entry
	if opts.version == "" {
		e, err = k.read(r.Context(), req.name)
	} else {
		e, err = k.readCached(r.Context(), req.name, opts.revision)
	}
	if err != nil {
		return err
	}
	return k.render(w, r, http.StatusOK, []entry{e}, e.json, e.revision)
}

// read gets an object from etcd.
func (k *kindServer) read(ctx context.Context, name string) (entry, error) {
	raw, err := k.store.GetRaw(ctx, k.kind.Resource, name, registry.ReadOptions{})
	if err != nil {
		return entry{}, err
	}
	return newEntry(raw)
}

func (k *kindServer) readCached(ctx context.Context, name string, revision int64) (entry, error) {
	if err := k.waitFor(ctx, revision); err != nil {
		return entry{}, err
	}
	e, exists, err := k.cache.get(name)
	if err == nil && !exists {
		err = registry.ErrNotFound
	}
	return e, err
}

// serveList answers with all objects that match. Without a resourceVersion
// they are read from etcd, linearizably, on the kind's own connection: when
// that is dark the client waits, and gets a 504 in the end. That is how it was
// in 2017, and the reason why nobody's list got through.
func (k *kindServer) serveList(w http.ResponseWriter, r *http.Request, req request, opts readOptions) error {
	entries, revision, err := k.list(r.Context(), opts)
	if err != nil {
		return err
	}
	entries = selectEntries(entries, req, opts)
	return k.render(w, r, http.StatusOK, entries, k.encodeList(entries, revision), revision)
}

func (k *kindServer) list(ctx context.Context, opts readOptions) ([]entry, int64, error) {
	exact := opts.match == metav1.ResourceVersionMatchExact
	if opts.version != "" && !exact {
		if err := k.waitFor(ctx, opts.revision); err != nil {
			return nil, 0, err
		}
		return k.cache.list()
	}
	ctx, cancel := context.WithTimeout(ctx, k.limit)
	defer cancel()
	at := registry.ReadOptions{}
	if exact {
		at.Revision = opts.revision
	}
	raws, revision, err := k.store.ListRaw(ctx, k.kind.Resource, at)
	if err != nil {
		return nil, 0, err
	}
	return k.entries(raws), revision, nil
}

// waitFor waits, within bounds, until the cache knows a revision.
func (k *kindServer) waitFor(ctx context.Context, revision int64) error {
	limited, cancel := context.WithTimeout(ctx, min(freshnessLimit, k.limit))
	defer cancel()
	err := k.cache.waitFor(limited, revision)
	if errors.Is(err, context.DeadlineExceeded) {
		return tooLargeVersion(revision, k.cache.currentRevision())
	}
	return err
}

// selectEntries returns those that match; none in a namespace other than the
// only one.
func selectEntries(entries []entry, req request, opts readOptions) []entry {
	if req.namespace != "" && req.namespace != registry.Namespace {
		return nil
	}
	if opts.selector.everything() {
		return entries
	}
	matching := make([]entry, 0, len(entries))
	for _, e := range entries {
		if opts.selector.matches(e) {
			matching = append(matching, e)
		}
	}
	return matching
}

// encodeList joins objects to a list without looking into them.
func (k *kindServer) encodeList(entries []entry, revision int64) []byte {
	size := 200
	for _, e := range entries {
		size += len(e.json) + 1
	}
	out := make([]byte, 0, size)
	out = append(out, `{"kind":"`+k.kind.Kind+`List","apiVersion":"`+k.kind.APIVersion()+`","metadata":{"resourceVersion":"`+formatRevision(revision)+`"},"items":[`...)
	for i, e := range entries {
		if i > 0 {
			out = append(out, ',')
		}
		out = append(out, e.json...)
	}
	return append(out, "]}"...)
}
