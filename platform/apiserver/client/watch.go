package client

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"breakbank/platform/rawjson"
)

// Types of events, as Kubernetes spells them.
const (
	Added    = "ADDED"
	Modified = "MODIFIED"
	Deleted  = "DELETED"
	Bookmark = "BOOKMARK"
	Error    = "ERROR"
)

// Event is one event of a watch.
type Event struct {
	Type string
	// Name and Namespace of the object that it is about; "" in a BOOKMARK and
	// an ERROR.
	Name, Namespace string
	// ResourceVersion is the revision up to which the watch has reported; 0
	// in an ERROR.
	ResourceVersion int64
	// Object is what the API server sent: the object, for a BOOKMARK one with
	// nothing but a resourceVersion, for an ERROR a Status.
	Object json.RawMessage
}

// Status returns the reason for an ERROR event.
func (e Event) Status() *StatusError {
	var status metav1.Status
	if err := json.Unmarshal(e.Object, &status); err != nil {
		return &StatusError{Code: http.StatusInternalServerError, Message: "watch error without a status: " + string(e.Object)}
	}
	return fromStatus(status)
}

// Watch is an open watch. Next is for one goroutine; Close may be called from
// another.
type Watch struct {
	cancel context.CancelFunc
	body   io.ReadCloser
	frames frames
}

// Watch reports what happens to a resource after a revision, with bookmarks;
// 0 begins with everything there is, as ADDED events. It returns once the API
// server has accepted the watch, and fails with context.DeadlineExceeded when
// that takes longer than ten seconds. A revision that is too old fails with a
// StatusError of code 410, a server that is not ready yet with 503.
func (c *Client) Watch(ctx context.Context, resource string, resourceVersion int64) (*Watch, error) {
	ctx, cancel := context.WithCancel(ctx)
	opening := time.AfterFunc(watchOpenLimit, cancel)
	resp, err := c.send(ctx, http.MethodGet, resource, "", "", watchQuery(resourceVersion), "", nil)
	if !opening.Stop() { // It was cut off, even if the answer came just then.
		if err == nil {
			resp.Body.Close()
		}
		return nil, fmt.Errorf("watch from %d: no answer within %v: %w", resourceVersion, watchOpenLimit, context.DeadlineExceeded)
	}
	if err != nil {
		cancel()
		return nil, fmt.Errorf("watch from %d: %w", resourceVersion, err)
	}
	return &Watch{cancel: cancel, body: resp.Body, frames: frames{stream: resp.Body}}, nil
}

// Next waits for the next event. It returns io.EOF when the server has ended
// the watch, and other errors when the connection failed or the watch was
// closed.
func (w *Watch) Next() (Event, error) {
	frame, err := w.frames.next()
	if err != nil {
		if err == io.EOF { //nolint:errorlint // frames returns it bare, and only between events
			return Event{}, io.EOF
		}
		return Event{}, fmt.Errorf("read watch event: %w", err)
	}
	event, err := readEvent(frame)
	if err != nil {
		return Event{}, fmt.Errorf("read watch event: %w", err)
	}
	return event, nil
}

// readEvent reads an event in one pass over its text.
func readEvent(frame []byte) (Event, error) {
	var event Event
	var object, version []byte
	s := rawjson.Scan(frame)
	err := s.Members(func(name []byte) (err error) {
		switch string(name) {
		case "type":
			var kind []byte
			kind, err = s.Text()
			event.Type = eventType(kind)
		case "object":
			from := s.Mark()
			version, err = event.readObject(&s)
			object = s.Since(from)
		default:
			err = s.Skip()
		}
		return err
	})
	if err == nil {
		err = s.End()
	}
	if err != nil {
		return Event{}, err
	}
	event.Object = bytes.Clone(object) // the frame will be overwritten
	if event.Type != Error {
		event.ResourceVersion, err = revisionOf(version)
	}
	return event, err
}

// readObject takes from an object whose it is, and returns its version.
func (e *Event) readObject(s *rawjson.Scanner) (version []byte, err error) {
	err = s.Members(func(name []byte) error {
		if string(name) != "metadata" {
			return s.Skip()
		}
		return s.Members(func(name []byte) (err error) {
			var text []byte
			switch string(name) {
			case "name":
				text, err = s.Text()
				e.Name = string(text)
			case "namespace":
				text, err = s.Text()
				e.Namespace = string(text)
			case "resourceVersion":
				version, err = s.Text()
			default:
				err = s.Skip()
			}
			return err
		})
	})
	return version, err
}

// eventType saves the usual types an allocation.
func eventType(kind []byte) string {
	for _, known := range [...]string{Added, Modified, Deleted, Bookmark, Error} {
		if string(kind) == known {
			return known
		}
	}
	return string(kind)
}

// Close ends the watch. It may be called more than once.
func (w *Watch) Close() {
	w.cancel()
	w.body.Close()
}
