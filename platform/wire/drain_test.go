package wire

import (
	"errors"
	"io"
	"testing"

	"golang.org/x/net/http2"
)

func isGoAway(s seen) bool { return s.kind == http2.FrameGoAway }

// A server drains in two steps (RFC 9113, 6.8): a warning, then, when the
// client must have seen it, the last stream that it takes.
func TestDrain(t *testing.T) {
	h := newRecorder()
	h.silent.Store(true)
	p := greetedClientOf(t, h, Config{})
	p.request(1, true)
	h.awaitStream(t, 0)
	p.conn.Drain()
	p.conn.Drain() // again changes nothing
	if s := p.until("the warning", isGoAway); s.last != maxStreamID || s.code != http2.ErrCodeNo {
		t.Errorf("the warning is %v up to %d", s, s.last)
	}
	ping := p.until("a ping", func(s seen) bool { return s.kind == http2.FramePing && !s.ack })
	p.request(3, true) // it was on its way
	s := h.awaitStream(t, 1)
	p.must(p.fr.WritePing(true, [8]byte(ping.data)))
	if s := p.until("the end", isGoAway); s.last != 3 || s.code != http2.ErrCodeNo {
		t.Errorf("the end is %v up to %d", s, s.last)
	}
	p.request(5, true)
	if code := p.untilReset(5); code != http2.ErrCodeRefusedStream {
		t.Errorf("a stream after the end was reset with %v", code)
	}
	var b Batch
	for _, s := range []*Stream{h.awaitStream(t, 0), s} {
		s.SendHeaders(&b, answerHeaders, false)
		s.SendHeaders(&b, answerTrailers, true)
	}
	b.Flush()
	for range 2 {
		p.until("an answer", func(s seen) bool { return s.kind == http2.FrameHeaders && s.end })
	}
	if s, err := p.next(); !errors.Is(err, io.EOF) {
		t.Errorf("after the last answer: %v, %v", s, err)
	}
	_ = p.nc.Close()
	_ = h.awaitClosed(t)
}

func TestDrainIdle(t *testing.T) {
	p := greetedClientOf(t, newRecorder(), Config{})
	p.serves(1)
	p.conn.Drain()
	ping := p.until("a ping", func(s seen) bool { return s.kind == http2.FramePing && !s.ack })
	p.must(p.fr.WritePing(true, [8]byte(ping.data)))
	p.until("the end", isGoAway)
	if s, err := p.next(); !errors.Is(err, io.EOF) {
		t.Errorf("after the end: %v, %v", s, err)
	}
}

// An answer to a ping that was never sent ends nothing.
func TestForgedGoodbye(t *testing.T) {
	p := greetedClientOf(t, newRecorder(), Config{})
	p.must(p.fr.WritePing(true, goodbyePing))
	p.serves(1)

	server := greetedServerOf(t, newRecorder())
	server.must(server.fr.WritePing(true, goodbyePing))
	server.must(server.fr.WritePing(false, [8]byte{'q'}))
	server.until("the answer to a ping", func(s seen) bool { return s.kind == http2.FramePing && s.ack })
	if err := server.conn.Usable(); err != nil {
		t.Errorf("a client is not usable: %v", err)
	}
}

// A client that drains opens no more streams, finishes those it has and says
// goodbye.
func TestClientDrain(t *testing.T) {
	h := newRecorder()
	p := greetedServerOf(t, h)
	s := p.open(true)
	p.conn.Drain()
	if err := p.conn.Usable(); !errors.Is(err, ErrDraining) {
		t.Errorf("usable: %v", err)
	}
	p.headers(1, false, okHeaders)
	p.headers(1, true, answerTrailers)
	h.await(t, "the answer", func() bool { return h.whole[s] })
	for {
		if _, err := p.next(); err != nil {
			if !errors.Is(err, io.EOF) {
				t.Error(err)
			}
			return
		}
	}
}

// A server's goodbye in two steps: the first takes nothing back, the second
// what it has not looked at, and the rest goes on to its end.
func TestGoAway(t *testing.T) {
	h := newRecorder()
	p := greetedServerOf(t, h)
	first, second := p.open(true), p.open(true)
	p.must(p.fr.WriteGoAway(maxStreamID, http2.ErrCodeNo, nil))
	h.await(t, "the warning", func() bool { return h.draining })
	var b Batch
	if _, err := p.conn.Open(&b, nil, requestFields(), true); !errors.Is(err, ErrDraining) {
		t.Errorf("a stream after the warning: %v", err)
	}
	h.now(func() {
		if len(h.ended) != 0 {
			t.Errorf("the warning ended %d streams", len(h.ended))
		}
	})
	p.must(p.fr.WriteGoAway(1, http2.ErrCodeNo, nil))
	if why := h.awaitEnding(t, second); why.Kind != Unprocessed {
		t.Errorf("the second stream is %v", why)
	}
	p.headers(1, false, okHeaders)
	p.headers(1, true, answerTrailers)
	h.await(t, "the answer", func() bool { return h.whole[first] })
	_ = p.nc.Close()
	_ = h.awaitClosed(t)
}

// What was never given to the socket is Unprocessed when the connection ends,
// and what may have left is not.
func TestUnsentIsUnprocessed(t *testing.T) {
	h := newRecorder()
	p := greetedServerOf(t, h)
	gone := p.open(true)
	p.untilRequest()
	p.idle() // or what acknowledges settings takes the other along
	var b Batch
	kept, err := p.conn.Open(&b, nil, requestFields(), true)
	p.must(err)
	_ = p.nc.Close()
	if why := h.awaitEnding(t, gone); why.Kind != Broken {
		t.Errorf("a request that was sent is %v", why)
	}
	if why := h.awaitEnding(t, kept); why.Kind != Unprocessed {
		t.Errorf("a request that was not is %v", why)
	}
	b.Flush() // too late, and harmless
	if _, err := p.conn.Open(&b, nil, requestFields(), true); !errors.Is(err, ErrClosed) {
		t.Errorf("a stream on a connection that is over: %v", err)
	}
}

// Of a request in several writes the first may have left: it is not
// Unprocessed, however little the socket has taken.
func TestPartlySentIsBroken(t *testing.T) {
	h := newRecorder()
	p := greetedServerOf(t, h)
	p.idle()
	p.conn.mu.Lock()
	p.conn.flushing = true // as if somebody were writing
	p.conn.mu.Unlock()
	waits := p.open(true)
	p.conn.mu.Lock()
	p.conn.offered = waits.headersEnd // its last byte was offered
	p.conn.mu.Unlock()
	_ = p.nc.Close()
	if why := h.awaitEnding(t, waits); why.Kind != Broken {
		t.Errorf("the request is %v", why)
	}
}

// The ids of streams run out after 2^30 of them; the connection then drains.
func TestOutOfStreamIDs(t *testing.T) {
	h := newRecorder()
	p := greetedServerOf(t, h)
	p.conn.mu.Lock()
	p.conn.nextID = maxStreamID
	p.conn.mu.Unlock()
	s := p.open(true)
	var b Batch
	if _, err := p.conn.Open(&b, nil, requestFields(), true); !errors.Is(err, ErrDraining) {
		t.Errorf("a stream beyond the last id: %v", err)
	}
	b.Flush()
	p.headers(maxStreamID, true, append(okHeaders[:1:1], answerTrailers...))
	h.await(t, "the last answer", func() bool { return h.whole[s] })
	for {
		if _, err := p.next(); err != nil {
			if !errors.Is(err, io.EOF) {
				t.Error(err)
			}
			return
		}
	}
}

// Closing tells everyone and waits for the goroutines.
func TestClose(t *testing.T) {
	h := newRecorder()
	p := greetedServerOf(t, h)
	s := p.open(false)
	p.untilRequest()
	p.conn.Close()
	h.now(func() {
		if h.ended[s].Kind != Broken || !h.closed || !errors.Is(h.err, ErrClosed) {
			t.Errorf("the stream is %v, the connection closed %v, %v", h.ended[s], h.closed, h.err)
		}
	})
	// A stream that has ended takes everything and does nothing.
	var b Batch
	s.SendHeaders(&b, answerTrailers, true)
	s.Reset(&b, http2.ErrCodeCancel)
	s.Consume(&b, 10)
	if n := s.SendData(&b, make([]byte, 10), true); n != 10 {
		t.Errorf("%d bytes went nowhere, want all", n)
	}
	b.Flush()
	p.conn.Drain()
}

// A client that has ended its side of the TCP connection can say nothing more,
// windows included: the connection is over.
func TestHalfClosedPeer(t *testing.T) {
	h := newRecorder()
	h.silent.Store(true)
	p := greetedClientOf(t, h, Config{})
	p.request(1, false)
	s := h.awaitStream(t, 0)
	p.must(p.nc.(interface{ CloseWrite() error }).CloseWrite())
	if why := h.awaitEnding(t, s); why.Kind != Broken || !errors.Is(why.Err, io.EOF) {
		t.Errorf("the stream is %v", why)
	}
	_ = h.awaitClosed(t)
}
