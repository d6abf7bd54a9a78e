package apiserver

import (
	"context"
	"encoding/json"
	"net/http"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"breakbank/platform/registry"
)

const (
	// watchWriteLimit bounds how long a write to a watcher may block before its
	// connection is given up.
	watchWriteLimit = 5 * time.Second
	// watchWriteBytes is how much may be written within it.
	watchWriteBytes = 32 << 10
)

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
	// budget is what may be written before the connection must be given more
	// time.
	budget int
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
	if err := s.allow(); err != nil {
		return err
	}
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
// the cache drops the watcher. What has queued up goes out together.
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
			if s.sendQueued(ev, sub) != nil || s.out.Flush() != nil {
				return
			}
		}
	}
}

// sendQueued sends an event and those that wait behind it by now.
func (s *stream) sendQueued(ev event, sub *watcher) error {
	if err := s.allow(); err != nil {
		return err
	}
	for waiting := len(sub.events); ; waiting-- {
		if err := s.send(ev); err != nil || waiting == 0 {
			return err
		}
		var open bool
		if ev, open = <-sub.events; !open {
			return nil // follow finds out
		}
	}
}

// allow gives what is written next the time that it may take.
func (s *stream) allow() error {
	s.budget = watchWriteBytes
	return s.out.SetWriteDeadline(time.Now().Add(watchWriteLimit))
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
	if s.allow() == nil && s.writeLine(failed, status) == nil {
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
	if ev.line == nil {
		return s.writeLine(ev.kind, ev.object.json)
	}
	return s.writeOut(ev.line)
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
	return s.writeOut(appendLine(nil, kind, object))
}

func (s *stream) writeOut(line []byte) error {
	if s.budget -= len(line); s.budget < 0 {
		if err := s.allow(); err != nil {
			return err
		}
	}
	_, err := s.w.Write(line)
	return err
}
