package wire

import (
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"
)

// patience bounds every wait of these tests for something that takes
// microseconds on an idle machine.
const patience = 10 * time.Second

var (
	answerHeaders  = []hpack.HeaderField{{Name: ":status", Value: "200"}, {Name: "content-type", Value: "application/grpc"}}
	answerTrailers = []hpack.HeaderField{{Name: "grpc-status", Value: "0"}}
)

// recorder is a Handler that notes what it is told. As a server it answers
// each request when it has ended, unless it is to keep silent.
type recorder struct {
	silent  atomic.Bool // answers nothing
	hoards  atomic.Bool // consumes nothing
	onData  func(b *Batch, s *Stream, p []byte, end bool)
	onOpen  func(b *Batch, s *Stream)
	onSent  func(b *Batch, s *Stream, n int)
	onEnded func(b *Batch, s *Stream)

	mu       sync.Mutex
	changed  *sync.Cond
	streams  []*Stream // opened by the peer, or answered by it
	headers  map[*Stream][][]hpack.HeaderField
	bytes    map[*Stream]int
	ended    map[*Stream]Ending
	whole    map[*Stream]bool // the peer has said everything
	sent     map[*Stream]int
	draining bool
	closed   bool
	err      error
}

func newRecorder() *recorder {
	r := &recorder{
		headers: map[*Stream][][]hpack.HeaderField{}, bytes: map[*Stream]int{}, ended: map[*Stream]Ending{},
		whole: map[*Stream]bool{}, sent: map[*Stream]int{},
	}
	r.changed = sync.NewCond(&r.mu)
	return r
}

func (r *recorder) note(f func()) {
	r.mu.Lock()
	f()
	r.changed.Broadcast()
	r.mu.Unlock()
}

func (r *recorder) Headers(b *Batch, s *Stream, fields []hpack.HeaderField, end bool) {
	opened := false
	r.note(func() {
		if opened = len(r.headers[s]) == 0; opened {
			r.streams = append(r.streams, s)
		}
		r.headers[s] = append(r.headers[s], slices.Clone(fields))
		r.whole[s] = r.whole[s] || end
	})
	if opened && r.onOpen != nil {
		r.onOpen(b, s)
	}
	if end {
		r.answer(b, s)
	}
}

func (r *recorder) Data(b *Batch, s *Stream, p []byte, end bool) {
	r.note(func() {
		r.bytes[s] += len(p)
		r.whole[s] = r.whole[s] || end
	})
	if r.onData != nil {
		r.onData(b, s, p, end)
	} else if !r.hoards.Load() {
		s.Consume(b, len(p))
	}
	if end {
		r.answer(b, s)
	}
}

func (r *recorder) answer(b *Batch, s *Stream) {
	if s.conn.server && !r.silent.Load() {
		s.SendHeaders(b, answerHeaders, false)
		s.SendHeaders(b, answerTrailers, true)
	}
}

func (r *recorder) Ended(b *Batch, s *Stream, why Ending) {
	r.note(func() { r.ended[s] = why })
	if r.onEnded != nil {
		r.onEnded(b, s)
	}
}

func (r *recorder) Sent(b *Batch, s *Stream, n int) {
	r.note(func() { r.sent[s] += n })
	if r.onSent != nil {
		r.onSent(b, s, n)
	}
}

func (r *recorder) Draining(*Conn) { r.note(func() { r.draining = true }) }

func (r *recorder) Closed(_ *Conn, err error) { r.note(func() { r.closed, r.err = true, err }) }

// await waits until something holds, which is asked under the lock.
func (r *recorder) await(t *testing.T, what string, holds func() bool) {
	t.Helper()
	late := false
	timer := time.AfterFunc(patience, func() { r.note(func() { late = true }) })
	defer timer.Stop()
	r.mu.Lock()
	defer r.mu.Unlock()
	for !holds() {
		if late {
			t.Fatalf("not within %v: %s", patience, what)
		}
		r.changed.Wait()
	}
}

// awaitStream returns the n-th stream that the peer has opened or answered.
func (r *recorder) awaitStream(t *testing.T, n int) *Stream {
	t.Helper()
	r.await(t, fmt.Sprintf("stream %d is open", n), func() bool { return len(r.streams) > n })
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.streams[n]
}

// awaitEnding returns how a stream came to its early end.
func (r *recorder) awaitEnding(t *testing.T, s *Stream) Ending {
	t.Helper()
	r.await(t, fmt.Sprintf("stream %d has ended", s.id), func() bool { _, ok := r.ended[s]; return ok })
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.ended[s]
}

// awaitClosed returns why the connection is over.
func (r *recorder) awaitClosed(t *testing.T) error {
	t.Helper()
	r.await(t, "the connection is over", func() bool { return r.closed })
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.err
}

// now reads something under the lock.
func (r *recorder) now(f func()) {
	r.mu.Lock()
	defer r.mu.Unlock()
	f()
}

// noError is a code that no table expects.
const noError http2.ErrCode = 0xff
