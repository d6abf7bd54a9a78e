package apiserver

import (
	"context"
	"encoding/json"
	"net/http"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"breakbank/platform/registry"
)

// watchWriteLimit bounds how long one write to a watcher may block before its
// connection is given up.
const watchWriteLimit = 5 * time.Second

// stream is one open watch.
type stream struct {
	kind *kindServer
	opts readOptions
	w    http.ResponseWriter
	out  *http.ResponseController
	// after is the last revision the watcher knows: nothing up to it is sent
	// again, and no bookmark goes back behind it.
	after int64
	table bool
}

// serveWatch answers with a stream of events, from the cache. Everything that
// can be refused is refused before the stream begins.
func (k *kindServer) serveWatch(w http.ResponseWriter, r *http.Request, req request, opts readOptions) error {
	ctx, cancel := context.WithTimeout(r.Context(), opts.timeout)
	defer cancel()
	state, past, sub, after, err := k.open(ctx, opts)
	if err != nil {
		return err
	}
	defer k.cache.unsubscribe(sub)
	if req.namespace != "" && req.namespace != registry.Namespace {
		state, past = nil, nil
	}
	s := &stream{kind: k, opts: opts, w: w, out: http.NewResponseController(w), after: after, table: wantsTable(r)}
	// The connection may serve other requests afterwards.
	defer func() { _ = s.out.SetWriteDeadline(time.Time{}) }()
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(http.StatusOK)
	// From here on an error ends the stream; there is nobody to tell.
	if s.begin(state, past) != nil {
		return nil
	}
	s.follow(ctx, sub, req)
	return nil
}

// open subscribes to the cache. state are the objects that the watch begins
// with, past the events that it has to catch up with, after the revision that
// state is of.
func (k *kindServer) open(ctx context.Context, opts readOptions) (state []entry, past []event, sub *watcher, after int64, err error) {
	switch {
	case opts.initialEvents && opts.version == "":
		// Watch-list with the promise of a list: the objects come from etcd.
		// Subscribing first leaves no gap between them and the events.
		_, since, sub, err := k.cache.subscribeState()
		if err != nil {
			return nil, nil, nil, 0, err
		}
		state, after, err := k.list(ctx, readOptions{})
		if err != nil {
			k.cache.unsubscribe(sub)
			return nil, nil, nil, 0, err
		}
		return state, nil, sub, max(after, since), nil
	case opts.revision == 0, opts.initialEvents:
		if err := k.waitFor(ctx, opts.revision); err != nil {
			return nil, nil, nil, 0, err
		}
		state, after, sub, err := k.cache.subscribeState()
		return state, nil, sub, after, err
	default:
		past, sub, err := k.cache.subscribe(opts.revision)
		return nil, past, sub, opts.revision, err
	}
}

// begin sends what there is at the start, and flushes: the client may be
// waiting for the headers alone.
func (s *stream) begin(state []entry, past []event) error {
	for _, e := range state {
		if !s.opts.selector.matches(e) {
			continue
		}
		if err := s.write(event{kind: added, revision: e.revision, object: e}); err != nil {
			return err
		}
	}
	for _, ev := range past {
		if err := s.send(ev); err != nil {
			return err
		}
	}
	if s.opts.initialEvents {
		if err := s.writeBookmark(s.after, true); err != nil {
			return err
		}
	}
	return s.out.Flush()
}

// follow sends events until the watch's time is over, the client leaves, or
// the cache drops the watcher.
func (s *stream) follow(ctx context.Context, sub *watcher, req request) {
	for {
		select {
		case <-ctx.Done():
			return
		case ev, open := <-sub.events:
			if !open {
				s.end(sub, req)
				return
			}
			if err := s.send(ev); err != nil {
				return
			}
			// What has queued up meanwhile goes out in the same packet.
			if len(sub.events) > 0 {
				continue
			}
			if err := s.out.Flush(); err != nil {
				return
			}
		}
	}
}

// end tells a dropped watcher to list again, if it must.
func (s *stream) end(sub *watcher, req request) {
	if !sub.gone {
		return
	}
	status, err := json.Marshal(withTypeMeta(statusOf(errTooOld, req)))
	if err != nil {
		return
	}
	if s.writeLine(failed, status) == nil {
		_ = s.out.Flush()
	}
}

func (s *stream) send(ev event) error {
	if ev.kind == bookmark {
		if !s.opts.bookmarks || ev.revision < s.after {
			return nil
		}
		return s.writeBookmark(ev.revision, false)
	}
	if ev.revision <= s.after {
		return nil
	}
	s.after = ev.revision
	ev, visible := s.opts.selector.filter(ev)
	if !visible {
		return nil
	}
	return s.write(ev)
}

func (s *stream) write(ev event) error {
	if s.table {
		object, err := s.kind.table([]entry{ev.object}, ev.revision)
		if err != nil {
			return err
		}
		return s.writeLine(ev.kind, object)
	}
	return s.writeLine(ev.kind, ev.object.json)
}

// writeBookmark says that the watcher has been told everything up to a
// revision. The one that ends the initial events of a watch-list carries
// Kubernetes' annotation for that.
func (s *stream) writeBookmark(revision int64, initialEventsEnd bool) error {
	meta := metav1.PartialObjectMetadata{
		TypeMeta:   metav1.TypeMeta{Kind: s.kind.kind.Kind, APIVersion: s.kind.kind.APIVersion()},
		ObjectMeta: metav1.ObjectMeta{ResourceVersion: formatRevision(revision)},
	}
	if initialEventsEnd {
		meta.Annotations = map[string]string{metav1.InitialEventsAnnotationKey: "true"}
	}
	object, err := json.Marshal(meta)
	if err != nil {
		return err
	}
	return s.writeLine(bookmark, object)
}

func (s *stream) writeLine(kind string, object []byte) error {
	if err := s.out.SetWriteDeadline(time.Now().Add(watchWriteLimit)); err != nil {
		return err
	}
	line := make([]byte, 0, len(object)+32)
	line = append(line, `{"type":"`...)
	line = append(line, kind...)
	line = append(line, `","object":`...)
	line = append(line, object...)
	line = append(line, "}\n"...)
	_, err := s.w.Write(line)
	return err
}
