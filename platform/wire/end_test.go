package wire

import (
	"bytes"
	"errors"
	"net"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"golang.org/x/net/http2"
)

// A request that is reported as unprocessed never reaches the server, however
// much of what was sent before it still waits for the socket.
func TestUnprocessedNeverGoes(t *testing.T) {
	const small = 32 << 10 // and not so small that TCP hesitates
	h := newRecorder()
	p := greetedServerOf(t, h)
	p.must(p.nc.(*net.TCPConn).SetReadBuffer(small))
	p.must(p.conn.socket.nc.(*net.TCPConn).SetWriteBuffer(small))
	p.idle()
	var b Batch
	for range 80 { // in one write, of more than the socket takes
		_, err := p.conn.Open(&b, nil, requestFields("large", strings.Repeat("~", 15_000)), false)
		p.must(err)
	}
	b.Flush()
	pay, err := p.conn.Open(&b, nil, requestFields("pay", "me"), false)
	p.must(err)
	pay.SendData(&b, []byte("money"), true)
	b.Flush()
	p.must(p.fr.WriteData(0, false, []byte("x"))) // an error that ends the connection
	if why := h.awaitEnding(t, pay); why.Kind != Unprocessed {
		t.Errorf("the request is %v", why)
	}
	for {
		s, err := p.next()
		if err != nil {
			return
		}
		if s.id == pay.id {
			t.Errorf("the server got %v", s)
		}
	}
}

// What the last read has led to is flushed, though the read ends with an error.
func TestLastReadIsFlushed(t *testing.T) {
	asked := newRecorder()
	asked.silent.Store(true)
	caller := greetedClientOf(t, asked, Config{})
	caller.request(1, true)
	down := asked.awaitStream(t, 0)
	h := newRecorder()
	h.onData = func(b *Batch, _ *Stream, _ []byte, _ bool) {
		down.SendHeaders(b, answerHeaders, false)
		down.SendHeaders(b, answerTrailers, true)
	}
	server := greetedServerOf(t, h)
	server.open(true)
	// In one segment: an answer, and what no server may send.
	var segment bytes.Buffer
	fr := http2.NewFramer(&segment, nil)
	fr.AllowIllegalWrites = true
	server.must(fr.WriteHeaders(http2.HeadersFrameParam{StreamID: 1, BlockFragment: server.encode(okHeaders), EndHeaders: true}))
	server.must(fr.WriteData(1, true, []byte("x")))
	server.must(fr.WriteData(0, false, []byte("x")))
	server.write(segment.Bytes())
	caller.until("the answer", func(s seen) bool { return s.kind == http2.FrameHeaders && s.end })
}

// A connection that has no ids left for streams closes after the last.
func TestLastStreamID(t *testing.T) {
	h := newRecorder()
	p := greetedServerOf(t, h)
	p.conn.mu.Lock()
	p.conn.nextID = maxStreamID
	p.conn.mu.Unlock()
	s := p.open(true)
	p.headers(maxStreamID, false, okHeaders)
	p.headers(maxStreamID, true, answerTrailers)
	h.await(t, "the answer", func() bool { return h.whole[s] })
	for {
		_, err := p.next()
		var timeout net.Error
		if errors.As(err, &timeout) && timeout.Timeout() {
			t.Fatal("the connection stays open")
		}
		if err != nil {
			break
		}
	}
	if err := p.conn.Usable(); err == nil {
		t.Error("it takes one more stream")
	}
}

// A client's connection counts until its socket is closed, and so while it has
// its time to read why it was ended.
func TestClosedIsTheLast(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		near, far := net.Pipe()
		h := newRecorder()
		conn := NewServer(near, Config{Handler: h})
		if _, err := far.Write([]byte("GET / HTTP/1.1\r\nhost: b\r\n\r\n")); err != nil {
			t.Fatal(err)
		}
		time.Sleep(refusalTimeout - time.Millisecond) // virtual
		h.now(func() {
			if h.closed {
				t.Error("closed is told while the socket is open")
			}
		})
		conn.work.Wait()
		if !h.closed {
			t.Error("closed is not told")
		}
		_ = far.Close()
	})
}

// Answers meet resets of their streams on the way: the race detector watches.
func TestAnswersMeetResets(t *testing.T) {
	const rounds, streams = 100, 50
	h := newRecorder()
	p := greetedServerOf(t, h)
	go discard(p.nc) // until the connection is closed
	for range rounds {
		open := make([]*Stream, streams)
		for i := range open {
			open[i] = p.open(true)
		}
		done := make(chan struct{})
		go func() {
			defer close(done)
			var b Batch
			for i := range open {
				open[streams-1-i].Reset(&b, http2.ErrCodeCancel)
			}
			b.Flush()
		}()
		for _, s := range open {
			p.headers(s.id, false, okHeaders)
		}
		<-done
	}
	if n := p.conn.Active(); n != 0 {
		t.Errorf("%d streams are open", n)
	}
}
