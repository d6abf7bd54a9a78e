// Package nullserver answers any unary gRPC call as cheaply as this module can:
// what a load generator is held against. It can also misbehave in ways whose
// effect on every call is known beforehand (Behaviour), so that what a generator
// reports can be compared with the truth.
package nullserver

import (
	"fmt"
	"net"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"
	"golang.org/x/net/http2/hpack"
	"google.golang.org/grpc/codes"

	"breakbank/platform/wire"
)

// Server serves until Close. It is safe for concurrent use.
type Server struct {
	listener  net.Listener
	work      sync.WaitGroup
	done      chan struct{}
	answer    []byte
	behaviour Behaviour // nil: at once
	since     time.Time // of the behaviour's clock
	keeper    *timekeeper

	calls  atomic.Int64
	atOnce atomic.Int64 // of a behaviour

	mu     sync.Mutex
	conns  map[*wire.Conn]bool
	closed bool

	ended   sync.Once
	failure error
}

// Serve answers every call that comes in on a listener with one empty message.
// It takes the listener over.
func Serve(l net.Listener) *Server { return Misbehave(l, nil, time.Now()) }

// Misbehave answers as b says, by a clock whose zero is since: two processes of
// one machine that know both know the truth. A nil behaviour answers at once.
func Misbehave(l net.Listener, b Behaviour, since time.Time) *Server {
	now := time.Now()
	s := &Server{
		listener: l, conns: map[*wire.Conn]bool{}, answer: make([]byte, 5), done: make(chan struct{}),
		// On the monotonic clock, whatever is done to the other one meanwhile.
		behaviour: b, since: now.Add(since.Sub(now)),
	}
	if b != nil {
		s.keeper = newTimekeeper((*handler)(s).reply)
		s.work.Go(func() { s.keeper.run(s.done) })
	}
	s.work.Go(s.accept)
	return s
}

// Calls is how many calls have come in so far.
func (s *Server) Calls() int64 { return s.calls.Load() }

// Served is how long calls have really taken so far, from their arrival until
// their answers were given to the connections: the truth, and how late this
// process was. It is empty without a behaviour.
func (s *Server) Served() *hdrhistogram.Histogram {
	if s.keeper == nil {
		return newTimes()
	}
	h := s.keeper.times()
	// A value in the range is never refused.
	_ = h.RecordValues(0, s.atOnce.Load())
	return h
}

// Addr is where it listens.
func (s *Server) Addr() string { return s.listener.Addr().String() }

func (s *Server) accept() {
	for {
		nc, err := s.listener.Accept()
		if err != nil {
			return
		}
		s.mu.Lock()
		if s.closed {
			nc.Close()
		} else {
			c := wire.NewServer(nc, wire.Config{Handler: (*handler)(s)})
			s.conns[c] = true
		}
		s.mu.Unlock()
	}
}

// Close ends all connections; answers that are still owed are forgotten. It may
// be called more than once.
func (s *Server) Close() error {
	s.ended.Do(func() {
		close(s.done)
		if err := s.listener.Close(); err != nil {
			s.failure = fmt.Errorf("close the null server: %w", err)
		}
		s.mu.Lock()
		s.closed = true
		conns := s.conns
		s.conns = nil
		s.mu.Unlock()
		for c := range conns {
			c.Close()
		}
	})
	s.work.Wait()
	return s.failure
}

// handler is the server as its connections see it.
type handler Server

// What answers consist of; failHeaders are by status, and all there is.
var (
	answerHeaders  = []hpack.HeaderField{{Name: ":status", Value: "200"}, {Name: "content-type", Value: "application/grpc"}}
	answerTrailers = []hpack.HeaderField{{Name: "grpc-status", Value: "0"}}
	failHeaders    = func() (all [codes.Unauthenticated + 1][]hpack.HeaderField) {
		for code := range all {
			all[code] = append(answerHeaders[:len(answerHeaders):len(answerHeaders)],
				hpack.HeaderField{Name: "grpc-status", Value: strconv.Itoa(code)},
				hpack.HeaderField{Name: "grpc-message", Value: "as it was told to"})
		}
		return all
	}()
)

// Headers implements wire.Handler.
func (h *handler) Headers(b *wire.Batch, s *wire.Stream, _ []hpack.HeaderField, end bool) {
	if end {
		h.called(b, s)
	}
}

// Data implements wire.Handler.
func (h *handler) Data(b *wire.Batch, s *wire.Stream, p []byte, end bool) {
	s.Consume(b, len(p))
	if end {
		h.called(b, s)
	}
}

// called takes a call that is complete.
func (h *handler) called(b *wire.Batch, s *wire.Stream) {
	n := h.calls.Add(1) - 1
	if h.behaviour == nil {
		h.reply(b, s, codes.OK)
		return
	}
	now := time.Now()
	a := h.behaviour(n, now.Sub(h.since))
	if a.Takes <= 0 {
		h.atOnce.Add(1)
		h.reply(b, s, a.Code)
		return
	}
	h.keeper.add(now.Add(a.Takes), now, s, a.Code)
}

func (h *handler) reply(b *wire.Batch, s *wire.Stream, code codes.Code) {
	if code != codes.OK {
		s.SendHeaders(b, failHeaders[code], true)
		return
	}
	s.SendHeaders(b, answerHeaders, false)
	s.SendData(b, h.answer, false)
	s.SendHeaders(b, answerTrailers, true)
}

// Ended implements wire.Handler.
func (*handler) Ended(*wire.Batch, *wire.Stream, wire.Ending) {}

// Sent implements wire.Handler.
func (*handler) Sent(*wire.Batch, *wire.Stream, int) {}

// Draining implements wire.Handler.
func (*handler) Draining(*wire.Conn) {}

// Closed implements wire.Handler.
func (h *handler) Closed(c *wire.Conn, _ error) {
	h.mu.Lock()
	delete(h.conns, c)
	h.mu.Unlock()
}
