package client

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
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
	return &StatusError{Code: int(status.Code), Reason: string(status.Reason), Message: status.Message}
}

// Watch is an open watch. Next is for one goroutine; Close may be called from
// another.
type Watch struct {
	cancel context.CancelFunc
	body   io.ReadCloser
	events *json.Decoder
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
	return &Watch{cancel: cancel, body: resp.Body, events: json.NewDecoder(resp.Body)}, nil
}

// Next waits for the next event. It returns io.EOF when the server has ended
// the watch, and other errors when the connection failed or the watch was
// closed.
func (w *Watch) Next() (Event, error) {
	var wire struct {
		Type   string          `json:"type"`
		Object json.RawMessage `json:"object"`
	}
	if err := w.events.Decode(&wire); err != nil {
		if err == io.EOF { //nolint:errorlint // the decoder returns it bare, and only between events
			return Event{}, io.EOF
		}
		return Event{}, fmt.Errorf("read watch event: %w", err)
	}
	event := Event{Type: wire.Type, Object: wire.Object}
	if event.Type == Error {
		return event, nil
	}
	var object struct {
		Metadata struct {
			ResourceVersion string `json:"resourceVersion"`
		} `json:"metadata"`
	}
	if err := json.Unmarshal(wire.Object, &object); err != nil {
		return Event{}, fmt.Errorf("read watch event: metadata: %w", err)
	}
	revision, err := strconv.ParseInt(object.Metadata.ResourceVersion, 10, 64)
	if err != nil {
		return Event{}, fmt.Errorf("read watch event: resourceVersion: %w", err)
	}
	event.ResourceVersion = revision
	return event, nil
}

// Close ends the watch. It may be called more than once.
func (w *Watch) Close() {
	w.cancel()
	w.body.Close()
}
