package client

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// silence is an API server that takes requests and answers none.
type silence struct{}

func (silence) RoundTrip(r *http.Request) (*http.Response, error) {
	<-r.Context().Done()
	return nil, r.Context().Err()
}

// trickle answers at once, and sends one event long afterwards.
type trickle struct{ after time.Duration }

func (s trickle) RoundTrip(r *http.Request) (*http.Response, error) {
	return &http.Response{StatusCode: http.StatusOK, Body: &slowBody{ctx: r.Context(), after: s.after}}, nil
}

type slowBody struct {
	ctx   context.Context
	after time.Duration
	*strings.Reader
}

func (b *slowBody) Read(p []byte) (int, error) {
	if b.Reader == nil {
		timer := time.NewTimer(b.after)
		defer timer.Stop()
		select {
		case <-timer.C:
		case <-b.ctx.Done():
			return 0, b.ctx.Err()
		}
		b.Reader = strings.NewReader(`{"type":"BOOKMARK","object":{"metadata":{"resourceVersion":"7"}}}`)
	}
	return b.Reader.Read(p)
}

func (b *slowBody) Close() error { return nil }

func TestOpeningAWatchIsBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := &Client{base: "http://silent", http: &http.Client{Transport: silence{}}}
		began := time.Now()
		_, err := c.Watch(t.Context(), "pods", 1)
		if took := time.Since(began); !errors.Is(err, context.DeadlineExceeded) || took != watchOpenLimit {
			t.Errorf("%v after %v", err, took)
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		began = time.Now()
		_, err = c.Watch(ctx, "pods", 1)
		if took := time.Since(began); err == nil || took != time.Second {
			t.Errorf("with a limit of its own: %v after %v", err, took)
		}
	})
}

// The limit is for the opening alone: an open watch may be silent for longer.
func TestAnOpenWatchHasNoLimit(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := &Client{base: "http://slow", http: &http.Client{Transport: trickle{after: 3 * watchOpenLimit}}}
		w, err := c.Watch(t.Context(), "pods", 1)
		if err != nil {
			t.Fatal(err)
		}
		defer w.Close()
		if ev, err := w.Next(); err != nil || ev.Type != Bookmark || ev.ResourceVersion != 7 {
			t.Errorf("%+v, %v", ev, err)
		}
	})
}
