package wire

import (
	"testing"

	"golang.org/x/net/http2"
)

// hoard sends on as many streams as it takes to fill what a connection may
// hold, and returns how many those were. None is consumed.
func hoard(t *testing.T, p *peer) int {
	t.Helper()
	window, streams, sent := ConnWindow, 0, 0
	for ; sent <= heldMax; streams++ {
		id := uint32(2*streams + 1)
		p.request(id, false)
		p.data(id, false, StreamWindow)
		sent += StreamWindow
		for window -= StreamWindow; window < StreamWindow; {
			window += int(p.until("credit for the connection", func(s seen) bool {
				return s.kind == http2.FrameWindowUpdate && s.id == 0 && s.credit != ConnWindow-initialWindow
			}).credit)
		}
	}
	p.heard.await(t, "the data", func() bool {
		sum := 0
		for _, n := range p.heard.bytes {
			sum += n
		}
		return sum == sent
	})
	p.quiet(t, nothing)
	return streams
}

// What a connection holds and nobody consumes is bounded: beyond heldMax its
// window is not refilled, until there is room again, however that came.
func TestHeldIsBounded(t *testing.T) {
	fill := func(t *testing.T, p *peer, from int) (streams int) {
		t.Helper()
		// No credit comes for what is sent now.
		for streams = from; streams < from+ConnWindow/2/StreamWindow; streams++ {
			id := uint32(2*streams + 1)
			p.request(id, false)
			p.data(id, false, StreamWindow)
		}
		p.must(p.fr.WritePing(false, [8]byte{'q'}))
		p.until("the answer to a ping", func(s seen) bool {
			if s.kind == http2.FrameWindowUpdate {
				t.Errorf("credit for %d bytes on %d", s.credit, s.id)
			}
			return s.kind == http2.FramePing && s.ack
		})
		return streams
	}
	credit := func(s seen) bool { return s.kind == http2.FrameWindowUpdate && s.id == 0 }
	for _, c := range []struct {
		name string
		free func(p *peer, streams int)
	}{
		{"consumed", func(p *peer, streams int) {
			var b Batch
			for i := range streams {
				p.heard.awaitStream(t, i).Consume(&b, StreamWindow)
			}
			b.Flush()
		}},
		{"reset by the peer", func(p *peer, streams int) {
			for i := range streams {
				p.must(p.fr.WriteRSTStream(uint32(2*i+1), http2.ErrCodeCancel))
			}
		}},
		{"reset by the owner", func(p *peer, streams int) {
			var b Batch
			for i := range streams {
				p.heard.awaitStream(t, i).Reset(&b, http2.ErrCodeCancel)
			}
			b.Flush()
		}},
		{"answered", func(p *peer, streams int) {
			var b Batch
			for i := range streams {
				p.heard.awaitStream(t, i).SendHeaders(&b, answerTrailers, true)
			}
			b.Flush()
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			h := newRecorder()
			h.hoards.Store(true)
			p := greetedClientOf(t, h, Config{})
			streams := fill(t, p, hoard(t, p))
			c.free(p, streams)
			p.until("credit for the connection", credit)
			h.hoards.Store(false)
			p.serves(uint32(2*streams + 1))
		})
	}
	t.Run("exceeded", func(t *testing.T) {
		h := newRecorder()
		h.hoards.Store(true)
		p := greetedClientOf(t, h, Config{})
		streams := hoard(t, p)
		for i := range ConnWindow/StreamWindow + 1 {
			id := uint32(2*(streams+i) + 1)
			if p.fr.WriteHeaders(http2.HeadersFrameParam{StreamID: id, BlockFragment: p.encode(requestFields()), EndHeaders: true}) != nil {
				break
			}
			for range StreamWindow / frameMax {
				_ = p.fr.WriteData(id, false, make([]byte, frameMax)) // it is cut off on the way
			}
		}
		if code := p.untilGoAway(); code != http2.ErrCodeFlowControl {
			t.Errorf("the connection ended with %v", code)
		}
	})
}
