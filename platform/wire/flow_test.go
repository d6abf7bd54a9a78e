package wire

import (
	"fmt"
	"testing"

	"golang.org/x/net/http2"
)

// quiet says whether the peer hears nothing but what is due anyway for a
// moment that is long on an idle machine: a ping is answered before it.
func (p *peer) quiet(t *testing.T, except func(seen) bool) {
	t.Helper()
	p.must(p.fr.WritePing(false, [8]byte{'q'}))
	p.until("the answer to a ping", func(s seen) bool {
		if s.kind == http2.FramePing && s.ack && s.data[0] == 'q' {
			return true
		}
		if !except(s) && s.kind != http2.FrameSettings && (s.kind != http2.FrameWindowUpdate || s.id != 0) {
			t.Errorf("unexpected: %v", s)
		}
		return false
	})
}

func nothing(seen) bool { return false }

// idle waits until the connection under test owes the peer nothing and nobody
// writes to it: what is put in a batch then stays there until it is flushed.
func (p *peer) idle() {
	p.t.Helper()
	p.quiet(p.t, nothing)
	for idle := false; !idle; p.must(p.t.Context().Err()) {
		p.conn.mu.Lock()
		idle = !p.conn.flushing && p.conn.out.Len() == 0
		p.conn.mu.Unlock()
	}
}

// The windows of streams are coupled: receipt alone refills that of the
// connection, and only Consume that of the stream.
func TestConsumeRefillsTheStream(t *testing.T) {
	h := newRecorder()
	h.hoards.Store(true)
	p := greetedClientOf(t, h, Config{})
	p.request(1, false)
	p.data(1, false, StreamWindow)
	s := h.awaitStream(t, 0)
	h.await(t, "the data", func() bool { return h.bytes[s] == StreamWindow })
	p.quiet(t, nothing)
	var b Batch
	s.Consume(&b, StreamWindow/2)
	b.Flush()
	credit := p.until("credit for the stream", func(s seen) bool { return s.kind == http2.FrameWindowUpdate && s.id == 1 }).credit
	if credit != StreamWindow/2 {
		t.Errorf("credit for %d bytes, consumed were %d", credit, StreamWindow/2)
	}
	// More than was received is never credited.
	s.Consume(&b, 10*StreamWindow)
	b.Flush()
	credit = p.until("credit for the stream", func(s seen) bool { return s.kind == http2.FrameWindowUpdate && s.id == 1 }).credit
	if credit != StreamWindow/2 {
		t.Errorf("credit for %d bytes, consumed were %d", credit, StreamWindow/2)
	}
}

// What a server may send on a stream grows as it is consumed.
func TestWindowGrows(t *testing.T) {
	h := newRecorder()
	h.hoards.Store(true)
	p := greetedServerOf(t, h)
	s := p.open(true)
	p.untilRequest()
	p.headers(1, false, okHeaders)
	window := firstWindow
	for sent, consumed := 0, 0; ; {
		p.data(1, false, consumed+window-sent)
		sent = consumed + window
		h.await(t, "the data", func() bool { return h.bytes[s] == sent })
		p.quiet(t, nothing)
		if window == StreamWindow {
			return
		}
		var b Batch
		s.Consume(&b, window/2)
		b.Flush()
		consumed += window / 2
		credit := int(p.until("credit for the stream", func(s seen) bool { return s.kind == http2.FrameWindowUpdate && s.id == 1 }).credit)
		if want := min(2*window, StreamWindow) - window + window/2; credit != want {
			t.Fatalf("credit for %d bytes, want %d", credit, want)
		}
		window = min(2*window, StreamWindow)
	}
}

// Padding counts for the windows (RFC 9113, 6.1), and comes back when what it
// padded does.
func TestPaddingComesBack(t *testing.T) {
	p := greetedClientOf(t, newRecorder(), Config{})
	p.request(1, false)
	credit, sent := 0, 0
	for sent < 4*StreamWindow {
		for range StreamWindow / 2 / 257 {
			p.must(p.fr.WriteDataPadded(1, false, []byte("x"), make([]byte, 255)))
			sent += 257
		}
		for credit < sent-StreamWindow/2-257 {
			credit += int(p.until("credit for the stream", func(s seen) bool { return s.kind == http2.FrameWindowUpdate && s.id == 1 }).credit)
		}
	}
	if credit > sent {
		t.Errorf("credit for %d bytes of %d", credit, sent)
	}
}

// answers makes a server under test answer a request with headers and n bytes.
func answers(n int, end bool) func(b *Batch, s *Stream) {
	return func(b *Batch, s *Stream) {
		s.SendHeaders(b, answerHeaders, false)
		s.SendData(b, make([]byte, n), end)
	}
}

// untilBytes reads n bytes of a stream, and says whether it ended with them.
func (p *peer) untilBytes(id uint32, n int) (ended bool) {
	p.t.Helper()
	for got := 0; got < n; {
		s := p.until(fmt.Sprintf("%d of %d bytes of stream %d", n-got, n, id), func(s seen) bool { return s.kind == http2.FrameData && s.id == id })
		got, ended = got+len(s.data), s.end
		if got > n {
			p.t.Fatalf("%d bytes too many on stream %d", got-n, id)
		}
	}
	return ended
}

// The peer's windows are kept, its end goes with the last byte, and Sent tells
// of what had to wait.
func TestPeersWindows(t *testing.T) {
	const size = 100_000
	h := newRecorder()
	h.silent.Store(true)
	h.onOpen = answers(size, true)
	p := greetedClientOf(t, h, Config{})
	p.request(1, true)
	if p.untilBytes(1, initialWindow) {
		t.Fatal("it ended early")
	}
	p.quiet(t, nothing)
	p.must(p.fr.WriteWindowUpdate(1, size))
	p.quiet(t, nothing) // the connection's window is empty too
	p.must(p.fr.WriteWindowUpdate(0, 1))
	p.untilBytes(1, 1)
	p.must(p.fr.WriteWindowUpdate(0, size))
	if !p.untilBytes(1, size-initialWindow-1) {
		t.Error("the end did not come with the last byte")
	}
	s := h.awaitStream(t, 0)
	h.await(t, "all that waited is reported", func() bool { return h.sent[s] == size-initialWindow })
}

// Trailers wait behind the data before them.
func TestTrailersWaitTheirTurn(t *testing.T) {
	const size = initialWindow + 10
	h := newRecorder()
	h.silent.Store(true)
	h.onOpen = func(b *Batch, s *Stream) {
		answers(size, false)(b, s)
		s.SendHeaders(b, answerTrailers, true)
	}
	p := greetedClientOf(t, h, Config{})
	p.request(1, true)
	p.untilBytes(1, initialWindow)
	p.quiet(t, nothing)
	p.must(p.fr.WriteWindowUpdate(0, 10))
	p.must(p.fr.WriteWindowUpdate(1, 10))
	if p.untilBytes(1, 10) {
		t.Error("the stream ended before its trailers")
	}
	s := p.until("trailers", func(s seen) bool { return s.kind == http2.FrameHeaders })
	if !s.end || s.fields[0].Name != "grpc-status" {
		t.Errorf("trailers are %v", s)
	}
}

// Settings may shrink windows below zero (RFC 9113, 6.9.2): what was sent
// beyond has to be made up for first.
func TestWindowBelowZero(t *testing.T) {
	h := newRecorder()
	h.silent.Store(true)
	h.onOpen = answers(2*initialWindow, true)
	p := greetedClientOf(t, h, Config{})
	p.must(p.fr.WriteWindowUpdate(0, 1<<20))
	p.request(1, true)
	p.untilBytes(1, initialWindow)
	settle(http2.SettingInitialWindowSize, 1000)(p) // the window is 1000-65535 now
	p.must(p.fr.WriteWindowUpdate(1, initialWindow-1000))
	p.quiet(t, nothing)
	p.must(p.fr.WriteWindowUpdate(1, 7))
	p.untilBytes(1, 7)
	p.quiet(t, nothing)
	settle(http2.SettingInitialWindowSize, 2000)(p)
	p.untilBytes(1, 1000)
	p.quiet(t, nothing)
	p.must(p.fr.WriteWindowUpdate(1, 2*initialWindow))
	if !p.untilBytes(1, initialWindow-1007) {
		t.Error("the end did not come with the last byte")
	}
}

// Streams that wait for the window of the connection have it in turn, however
// small the pieces are in which it comes: none waits for another to end.
func TestFairTurns(t *testing.T) {
	const streams, rounds, piece = 4, 8, 1000
	h := newRecorder()
	h.silent.Store(true)
	h.onOpen = answers(initialWindow, true)
	p := greetedClientOf(t, h, Config{})
	p.request(1, true) // takes the whole window
	p.untilBytes(1, initialWindow)
	for i := range streams {
		p.request(uint32(2*i+3), true)
	}
	h.awaitStream(t, streams)
	got := map[uint32]int{}
	for range rounds * streams {
		p.must(p.fr.WriteWindowUpdate(0, piece))
		s := p.until("data", func(s seen) bool { return s.kind == http2.FrameData })
		got[s.id] += len(s.data)
	}
	for i := range streams {
		if n := got[uint32(2*i+3)]; n != rounds*piece {
			t.Errorf("stream %d got %d bytes, its share was %d: %v", 2*i+3, n, rounds*piece, got)
		}
	}
}

// A stream without a window holds up no other.
func TestBlockedStreamBlocksOnlyItself(t *testing.T) {
	h := newRecorder()
	h.silent.Store(true)
	h.onOpen = answers(initialWindow+1, true)
	p := greetedClientOf(t, h, Config{})
	p.must(p.fr.WriteWindowUpdate(0, 1<<20))
	p.request(1, true)
	p.untilBytes(1, initialWindow)
	p.request(3, true)
	p.untilBytes(3, initialWindow)
	p.must(p.fr.WriteWindowUpdate(3, 1))
	if !p.untilBytes(3, 1) {
		t.Error("it did not end")
	}
	p.must(p.fr.WriteRSTStream(1, http2.ErrCodeCancel))
	h.awaitEnding(t, h.awaitStream(t, 0))
	if n := p.conn.Active(); n != 0 {
		t.Errorf("%d streams are open", n)
	}
}

// Streams that come, wait for a window and are taken back leave nothing
// behind.
func TestBlockedStreamsLeaveNothing(t *testing.T) {
	h := newRecorder()
	h.silent.Store(true)
	h.onOpen = answers(initialWindow, true)
	p := greetedClientOf(t, h, Config{})
	p.request(1, true)
	p.untilBytes(1, initialWindow)
	for i := range 200 {
		id := uint32(2*i + 3)
		p.request(id, true)
		p.must(p.fr.WriteRSTStream(id, http2.ErrCodeCancel))
	}
	p.quiet(t, func(s seen) bool { return s.kind == http2.FrameHeaders })
	p.conn.mu.Lock()
	defer p.conn.mu.Unlock()
	if len(p.conn.blocked) != 0 || len(p.conn.streams) != 0 {
		t.Errorf("%d streams wait, %d are open", len(p.conn.blocked), len(p.conn.streams))
	}
}
