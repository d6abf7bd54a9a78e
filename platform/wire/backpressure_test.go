package wire

import (
	"net"
	"testing"
	"testing/synctest"
	"time"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"
)

// The window of a stream that fills another grows only while that one's
// connection has room.
func TestWindowGrowsIntoRoom(t *testing.T) {
	asked := newRecorder()
	asked.silent.Store(true)
	caller := greetedClientOf(t, asked, Config{})
	caller.request(1, true)
	caller.request(3, true)
	full, to := asked.awaitStream(t, 0), asked.awaitStream(t, 1)
	h := newRecorder()
	h.hoards.Store(true)
	p := greetedServerOf(t, h)
	s := p.open(true)
	p.untilRequest()
	p.headers(1, false, okHeaders)
	got := 0
	half := func() int {
		t.Helper()
		p.data(1, false, firstWindow/2)
		got += firstWindow / 2
		h.await(t, "the data", func() bool { return h.bytes[s] == got })
		var b Batch
		s.ConsumeInto(&b, firstWindow/2, to)
		b.Flush()
		return int(p.until("credit for the stream", func(s seen) bool { return s.kind == http2.FrameWindowUpdate && s.id == 1 }).credit)
	}
	var b Batch
	full.SendData(&b, make([]byte, waitMax+initialWindow+1), true)
	b.Flush()
	if credit := half(); credit != firstWindow/2 {
		t.Errorf("credit for %d bytes while too much waits", credit)
	}
	full.Reset(&b, http2.ErrCodeCancel)
	b.Flush()
	to.conn.lent.Add(lentMax)
	if credit := half(); credit != firstWindow/2 {
		t.Errorf("credit for %d bytes while others have all the room", credit)
	}
	to.conn.lent.Add(-lentMax)
	if credit := half(); credit != firstWindow+firstWindow/2 {
		t.Errorf("credit for %d bytes while there is room", credit)
	}
	if n := to.conn.lent.Load(); n != firstWindow {
		t.Errorf("on account of the window are %d bytes", n)
	}
	s.Reset(&b, http2.ErrCodeCancel)
	b.Flush()
	if n := to.conn.lent.Load(); n != 0 {
		t.Errorf("%d bytes stay on the account of a stream that is over", n)
	}
}

// While too much waits for a client, streams that pass nothing on for
// writeStall are reset, and others are not.
func TestStuckStreams(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		near, far := net.Pipe()
		h := newRecorder()
		h.silent.Store(true)
		h.onOpen = func(b *Batch, s *Stream) {
			n := 1000
			if s.id == 1 {
				n = waitMax
			}
			answers(n, true)(b, s)
		}
		conn := NewServer(near, Config{Handler: h})
		go discard(far)
		p := &peer{t: t, nc: far, fr: http2.NewFramer(far, nil)}
		p.enc = hpack.NewEncoder(&p.block)
		p.write([]byte(http2.ClientPreface))
		p.must(p.fr.WriteSettings(http2.Setting{ID: http2.SettingInitialWindowSize, Val: 0}))
		for id := uint32(1); id <= 5; id += 2 {
			p.request(id, true)
		}
		began := time.Now()
		for range 20 { // stream 5 goes on, a byte at a time
			time.Sleep(writeStall / 3) // virtual
			p.must(p.fr.WriteWindowUpdate(5, 1))
			ended := 0
			if h.now(func() { ended = len(h.ended) }); ended > 0 && time.Since(began) <= writeStall {
				t.Fatalf("%d streams ended after %v", ended, time.Since(began))
			}
		}
		synctest.Wait()
		for i, want := range []bool{true, true, false} {
			why, ended := h.ended[h.streams[i]]
			if ended != want || ended && (why.Kind != Broken || why.Code != http2.ErrCodeEnhanceYourCalm) {
				t.Errorf("stream %d ended %v: %v", 2*i+1, ended, why)
			}
		}
		if err := conn.Err(); err != nil {
			t.Error(err)
		}
		if n := conn.waits.Load(); n != 980 {
			t.Errorf("%d bytes wait", n)
		}
		conn.Close()
		_ = far.Close()
	})
}

// However much waits for a client that takes its time, nothing of it is lost.
func TestWaitingIsNotLost(t *testing.T) {
	const streams, size = 40, 1 << 20 // together more than waitMax
	h := newRecorder()
	h.silent.Store(true)
	h.onOpen = answers(size, true)
	p := greetedClientOf(t, h, Config{})
	settle(http2.SettingInitialWindowSize, 0)(p)
	for i := range streams {
		p.request(uint32(2*i+1), true)
	}
	h.awaitStream(t, streams-1)
	p.must(p.fr.WriteWindowUpdate(0, streams*size))
	for i := range streams {
		id := uint32(2*i + 1)
		p.must(p.fr.WriteWindowUpdate(id, size))
		if !p.untilBytes(id, size) {
			t.Fatalf("stream %d did not end", id)
		}
	}
	if n := p.conn.waits.Load(); n != 0 {
		t.Errorf("%d bytes wait", n)
	}
}

// Padding comes back though nobody consumes anything.
func TestPaddingAlone(t *testing.T) {
	h := newRecorder()
	p := greetedClientOf(t, h, Config{})
	p.request(1, false)
	for range StreamWindow / 256 {
		p.must(p.fr.WriteDataPadded(1, false, nil, make([]byte, 255)))
	}
	credit := p.until("credit for the stream", func(s seen) bool { return s.kind == http2.FrameWindowUpdate && s.id == 1 }).credit
	if credit < StreamWindow/2 {
		t.Errorf("credit for %d bytes", credit)
	}
	p.data(1, true, 1)
	p.until("the answer", func(s seen) bool { return s.kind == http2.FrameHeaders && s.end })
}

// The windows of a server's streams are small while too much of what it has
// sent is not consumed, and no stream is stuck for that.
func TestWindowsShrink(t *testing.T) {
	h := newRecorder()
	h.hoards.Store(true)
	p := greetedServerOf(t, h)
	p.must(p.fr.WriteSettingsAck())
	// announced waits for a change of the windows and acknowledges it.
	announced := func() uint32 {
		t.Helper()
		s := p.until("settings", func(s seen) bool { return s.kind == http2.FrameSettings && !s.ack })
		p.must(p.fr.WriteSettingsAck())
		return s.window
	}
	p.until("settings", func(s seen) bool { return s.kind == http2.FrameSettings && !s.ack })
	var b Batch
	answer := func(size int) *Stream {
		t.Helper()
		s := p.open(true)
		p.headers(s.id, false, okHeaders)
		p.data(s.id, false, size)
		h.await(t, "the data", func() bool { return h.bytes[s] == size })
		return s
	}
	const little = firstWindow/2 - 1 // not enough to be returned
	consumed := answer(little)
	consumed.Consume(&b, little)
	b.Flush()
	var held []*Stream
	for range heldHigh/firstWindow + 1 {
		held = append(held, answer(firstWindow))
	}
	if w := announced(); w != smallWindow {
		t.Errorf("windows are now %d", w)
	}
	credit := func(s seen) bool { return s.kind == http2.FrameWindowUpdate && s.id == consumed.id }
	if n := p.until("credit for what is consumed", credit).credit; n != little {
		t.Errorf("credit for %d bytes", n)
	}
	answer(smallWindow)
	over := p.open(true)
	p.headers(over.id, false, okHeaders)
	p.data(over.id, false, smallWindow+1)
	if code := p.untilReset(over.id); code != http2.ErrCodeFlowControl {
		t.Errorf("too much was reset with %v", code)
	}
	for _, s := range held {
		s.Consume(&b, firstWindow)
	}
	b.Flush()
	if w := announced(); w != firstWindow {
		t.Errorf("windows are now %d", w)
	}
	p.must(p.fr.WritePing(false, [8]byte{'q'}))
	answer(firstWindow)
}
