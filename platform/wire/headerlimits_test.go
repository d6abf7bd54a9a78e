package wire

import (
	"errors"
	"strings"
	"testing"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"
)

// What a server does not take is not sent to it (RFC 9113, 10.5.1).
func TestServersHeaderLimit(t *testing.T) {
	const limit = 400
	h := newRecorder()
	p := greetedServerOf(t, h, http2.Setting{ID: http2.SettingMaxHeaderListSize, Val: limit})
	var b Batch
	s, err := p.conn.Open(&b, nil, requestFields("large", strings.Repeat("x", limit)), true)
	if s != nil || !errors.Is(err, ErrHeadersTooLarge) {
		t.Errorf("a large request: %v, %v", s, err)
	}
	if n := p.conn.Active(); n != 0 {
		t.Errorf("%d streams are open", n)
	}
	p.open(true)
	if first := p.until("a request", func(s seen) bool { return s.kind == http2.FrameHeaders }); first.id != 1 {
		t.Errorf("the first request comes on stream %d", first.id)
	}
}

// What a client does not take costs only that stream.
func TestClientsHeaderLimit(t *testing.T) {
	const limit = 400
	large := fieldsOf("large", strings.Repeat("x", limit))
	for _, c := range []struct {
		name string
		send func(b *Batch, s *Stream)
	}{
		{"headers", func(b *Batch, s *Stream) { s.SendHeaders(b, append(answerHeaders[:1:1], large...), false) }},
		{"trailers", func(b *Batch, s *Stream) {
			s.SendHeaders(b, answerHeaders, false)
			s.SendHeaders(b, large, true)
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			h := newRecorder()
			h.onOpen = func(b *Batch, s *Stream) {
				if s.id == 1 {
					c.send(b, s)
				}
			}
			p := greetedClientOf(t, h, Config{})
			settle(http2.SettingMaxHeaderListSize, limit)(p)
			p.request(1, true)
			if code := p.untilReset(1); code != http2.ErrCodeEnhanceYourCalm {
				t.Errorf("reset with %v", code)
			}
			if why := h.awaitEnding(t, h.awaitStream(t, 0)); why.Kind != Broken {
				t.Errorf("the handler was told %v", why)
			}
			p.serves(3)
		})
	}
}

// inFrames sends a header block in as many frames as it needs.
func (p *peer) inFrames(id uint32, fields []hpack.HeaderField) error {
	block := p.encode(fields)
	n := min(len(block), frameMax)
	err := p.fr.WriteHeaders(http2.HeadersFrameParam{StreamID: id, BlockFragment: block[:n], EndHeaders: n == len(block)})
	for block = block[n:]; err == nil && len(block) > 0; block = block[n:] {
		n = min(len(block), frameMax)
		err = p.fr.WriteContinuation(id, n == len(block), block[:n])
	}
	return err
}

// An answer with a header block that is too large costs no other stream of the
// connection, which many callers share, unless it is beyond all reason.
func TestLargeBlockOfAnAnswer(t *testing.T) {
	for _, c := range []struct {
		name          string
		fields, bytes int
		fatal         bool
	}{
		{"many fields", 40, 4000, false},
		{"one field", 1, 200 << 10, false},
		{"beyond discardMax", 1, 2 * discardMax, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			h := newRecorder()
			p := greetedServerOf(t, h)
			p.open(true)
			other := p.open(true)
			large := okHeaders[:1:1]
			for range c.fields {
				large = append(large, hpack.HeaderField{Name: "large", Value: strings.Repeat("~", c.bytes)})
			}
			err := p.inFrames(1, large)
			if c.fatal { // it may be cut off on the way
				var wrong *ProtocolError
				if err := h.awaitClosed(t); !errors.As(err, &wrong) || wrong.Code != http2.ErrCodeEnhanceYourCalm {
					t.Errorf("the connection ended with %v", err)
				}
				return
			}
			p.must(err)
			if code := p.untilReset(1); code != http2.ErrCodeEnhanceYourCalm {
				t.Errorf("reset with %v", code)
			}
			p.headers(3, false, okHeaders)
			p.headers(3, true, answerTrailers)
			h.await(t, "the other answer", func() bool { return h.whole[other] })
		})
	}
}
