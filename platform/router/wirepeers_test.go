package router

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"slices"
	"strconv"
	"sync"
	"testing"
	"time"

	"golang.org/x/net/http2/hpack"

	"breakbank/platform/wire"
)

// wireCaller is a caller that costs little: many calls on one connection,
// without goroutines of their own.
type wireCaller struct {
	conn *wire.Conn
	over chan struct{} // closed when the connection is
}

// wireCall is one request of a wireCaller. Its hooks are called by the
// goroutine of the connection; done gets the end, once.
type wireCall struct {
	stream *wire.Stream
	onData func(b *wire.Batch, s *wire.Stream, p []byte)
	code   string // the status, in figures
	done   func(c *wireCall, err error)
}

func dialWire(t testing.TB, addr string) *wireCaller {
	t.Helper()
	nc, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	c := &wireCaller{over: make(chan struct{})}
	c.conn = wire.NewClient(nc, wire.Config{Handler: c})
	t.Cleanup(c.conn.Close)
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	if err := c.conn.Greeted(ctx); err != nil {
		t.Fatal(err)
	}
	return c
}

// callFields are the headers of a call to the service echo.
func callFields(method string) []hpack.HeaderField {
	return []hpack.HeaderField{
		{Name: ":method", Value: "POST"},
		{Name: ":scheme", Value: "http"},
		{Name: ":path", Value: "/wire.Echo/" + method},
		{Name: ":authority", Value: "echo"},
		{Name: "content-type", Value: "application/grpc"},
		{Name: "te", Value: "trailers"},
	}
}

var (
	unaryFields  = callFields("Unary")
	duplexFields = callFields("Duplex")
)

// open begins a call.
func (c *wireCaller) open(b *wire.Batch, call *wireCall, fields []hpack.HeaderField) error {
	var err error
	call.stream, err = c.conn.Open(b, call, fields, false)
	return err
}

// unary makes a call of one message each way, and returns how long it took.
func (c *wireCaller) unary(b *wire.Batch, message []byte) (time.Duration, error) {
	end := make(chan error, 1)
	call := &wireCall{done: func(_ *wireCall, err error) { end <- err }}
	began := time.Now()
	if err := c.open(b, call, unaryFields); err != nil {
		return 0, err
	}
	call.stream.SendData(b, message, true)
	b.Flush()
	err := <-end
	return time.Since(began), err
}

func (c *wireCaller) Headers(_ *wire.Batch, s *wire.Stream, fields []hpack.HeaderField, end bool) {
	call := s.User.(*wireCall)
	if !end {
		return
	}
	for _, f := range fields {
		if f.Name == "grpc-status" {
			call.code = f.Value
		}
	}
	var err error
	if call.code != "0" {
		err = fmt.Errorf("status %s: %v", call.code, fields)
	}
	call.done(call, err)
}

func (c *wireCaller) Data(b *wire.Batch, s *wire.Stream, p []byte, end bool) {
	call := s.User.(*wireCall)
	if call.onData != nil {
		call.onData(b, s, p)
	} else {
		s.Consume(b, len(p))
	}
	if end {
		call.done(call, errors.New("an answer without trailers"))
	}
}

func (c *wireCaller) Ended(_ *wire.Batch, s *wire.Stream, why wire.Ending) {
	call := s.User.(*wireCall)
	call.done(call, fmt.Errorf("ended early: %v", why))
}

func (c *wireCaller) Sent(*wire.Batch, *wire.Stream, int) {}
func (c *wireCaller) Draining(*wire.Conn)                 {}
func (c *wireCaller) Closed(*wire.Conn, error)            { close(c.over) }

// wireBackend is an instance that costs little. It echoes, or sends a stream
// as long as is asked for with the header bytesAsked.
type wireBackend struct {
	listener  net.Listener
	accepting sync.WaitGroup
	mu        sync.Mutex
	conns     []*wire.Conn
}

const bytesAsked = "bytes-asked"

var (
	echoHeaders  = []hpack.HeaderField{{Name: ":status", Value: "200"}, {Name: "content-type", Value: "application/grpc"}}
	echoTrailers = []hpack.HeaderField{{Name: "grpc-status", Value: "0"}}
)

func startWireBackend(t testing.TB) *wireBackend {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	w := &wireBackend{listener: l}
	w.accepting.Go(func() {
		for {
			nc, err := l.Accept()
			if err != nil {
				return
			}
			w.mu.Lock()
			w.conns = append(w.conns, wire.NewServer(nc, wire.Config{Handler: w}))
			w.mu.Unlock()
		}
	})
	t.Cleanup(func() {
		_ = l.Close()
		w.accepting.Wait()
		for _, c := range w.open() {
			c.Close()
		}
	})
	return w
}

func (w *wireBackend) instance() instance { return instance{"echo-1", w.listener.Addr().String()} }

func (w *wireBackend) open() []*wire.Conn {
	w.mu.Lock()
	defer w.mu.Unlock()
	return slices.Clone(w.conns)
}

// source is a stream that sends as much as it is let.
type source struct{ left, waits int }

// sourcePiece is how much of a stream waits for its windows at most.
const sourcePiece = 64 << 10

var sourceBytes = make([]byte, sourcePiece)

func (f *source) send(b *wire.Batch, s *wire.Stream) {
	for f.left > 0 && f.waits == 0 {
		n := min(f.left, sourcePiece)
		f.left -= n
		f.waits = n - s.SendData(b, sourceBytes[:n], false)
		if f.left == 0 {
			s.SendHeaders(b, echoTrailers, true)
		}
	}
}

func (w *wireBackend) Headers(b *wire.Batch, s *wire.Stream, fields []hpack.HeaderField, end bool) {
	s.SendHeaders(b, echoHeaders, false)
	for _, f := range fields {
		if f.Name == bytesAsked {
			n, _ := strconv.Atoi(f.Value)
			s.User = &source{left: n}
		}
	}
	if end {
		w.finish(b, s)
	}
}

func (w *wireBackend) Data(b *wire.Batch, s *wire.Stream, p []byte, end bool) {
	if s.User == nil {
		s.Consume(b, s.SendData(b, p, false))
	} else {
		s.Consume(b, len(p))
	}
	if end {
		w.finish(b, s)
	}
}

func (w *wireBackend) finish(b *wire.Batch, s *wire.Stream) {
	if f, ok := s.User.(*source); ok {
		f.send(b, s)
		return
	}
	s.SendHeaders(b, echoTrailers, true)
}

func (w *wireBackend) Sent(b *wire.Batch, s *wire.Stream, n int) {
	if f, ok := s.User.(*source); ok {
		f.waits -= n
		f.send(b, s)
		return
	}
	s.Consume(b, n)
}

func (w *wireBackend) Ended(_ *wire.Batch, s *wire.Stream, _ wire.Ending) {
	if f, ok := s.User.(*source); ok {
		f.left = 0 // what is sent on a stream that is over goes nowhere, at once
	}
}

func (w *wireBackend) Draining(*wire.Conn)      {}
func (w *wireBackend) Closed(*wire.Conn, error) {}

// wireMessage is a gRPC message of n bytes with its prefix.
func wireMessage(n int) []byte {
	m := make([]byte, messagePrefix+n)
	binary.BigEndian.PutUint32(m[1:], uint32(n))
	return m
}
