package informer

import (
	"io"
	"net/http"
	"sync/atomic"
	"time"
)

// listening notes when an API server was last heard, bookmarks included, which
// client-go keeps to itself. It changes nothing of what passes through.
type listening struct {
	next    http.RoundTripper
	heardAt *atomic.Int64
}

func (l *listening) RoundTrip(req *http.Request) (*http.Response, error) {
	resp, err := l.next.RoundTrip(req)
	if err == nil && resp.StatusCode == http.StatusOK {
		resp.Body = &heardBody{resp.Body, l.heardAt}
	}
	return resp, err
}

type heardBody struct {
	io.ReadCloser
	heardAt *atomic.Int64
}

func (b *heardBody) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	if n > 0 {
		b.heardAt.Store(time.Now().UnixNano())
	}
	return n, err
}
