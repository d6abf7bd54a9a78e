package wire

import (
	"strings"
	"testing"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"
)

var okHeaders = fieldsOf(":status", "200")

// What a server may do wrong, and what it gets for it. Stream 1 is open, and
// its request not ended.
var serverMistakes = []struct {
	name, section string
	do            func(p *peer)
	connection    http2.ErrCode // with which the connection is ended; or
	stream        http2.ErrCode // with which stream 1 is
}{
	{"DATA before HEADERS", "8.1", func(p *peer) { p.data(1, false, 1) }, noError, http2.ErrCodeProtocol},
	{"DATA on an idle stream", "5.1", func(p *peer) { p.data(3, false, 1) }, http2.ErrCodeProtocol, noError},
	{"DATA beyond the window of the stream", "6.9.1", func(p *peer) {
		p.heard.hoards.Store(true)
		p.headers(1, false, okHeaders)
		p.data(1, false, firstWindow+1)
	}, noError, http2.ErrCodeFlowControl},
	{"HEADERS on an idle stream", "5.1", func(p *peer) { p.headers(3, false, okHeaders) }, http2.ErrCodeProtocol, noError},
	{"HEADERS on an even stream", "5.1.1", func(p *peer) { p.headers(2, false, okHeaders) }, http2.ErrCodeProtocol, noError},
	{"HEADERS without :status", "8.3.2", func(p *peer) { p.headers(1, false, fieldsOf("a", "b")) }, noError, http2.ErrCodeProtocol},
	{"HEADERS with a request's pseudo-header", "8.3", func(p *peer) {
		p.headers(1, false, fieldsOf(":status", "200", ":path", "/"))
	}, noError, http2.ErrCodeProtocol},
	{"an interim response that ends the stream", "8.1", func(p *peer) { p.headers(1, true, fieldsOf(":status", "103")) }, noError, http2.ErrCodeProtocol},
	{"trailers without the end of the stream", "8.1", func(p *peer) {
		p.headers(1, false, okHeaders)
		p.headers(1, false, fieldsOf("a", "b"))
	}, noError, http2.ErrCodeProtocol},
	{"trailers with pseudo-headers", "8.1", func(p *peer) {
		p.headers(1, false, okHeaders)
		p.headers(1, true, okHeaders)
	}, noError, http2.ErrCodeProtocol},
	{"HEADERS with more padding than frame", "6.2", func(p *peer) {
		p.raw(http2.FrameHeaders, http2.FlagHeadersPadded|http2.FlagHeadersEndHeaders, 1, 200, 0x88)
	}, http2.ErrCodeProtocol, noError},
	{"a list of headers that is too large", "10.5.1", func(p *peer) {
		large := okHeaders[:1:1]
		for range 20 {
			large = append(large, hpack.HeaderField{Name: "large", Value: strings.Repeat("x", 4000)})
		}
		p.headers(1, false, large)
	}, noError, http2.ErrCodeEnhanceYourCalm},
	{"PUSH_PROMISE", "6.6", func(p *peer) {
		p.must(p.fr.WritePushPromise(http2.PushPromiseParam{StreamID: 1, PromiseID: 2, BlockFragment: p.encode(requestFields()), EndHeaders: true}))
	}, http2.ErrCodeProtocol, noError},
	{"ENABLE_PUSH 1", "6.5.2", settle(http2.SettingEnablePush, 1), http2.ErrCodeProtocol, noError},
	{"WINDOW_UPDATE of 0 for a stream", "6.9", func(p *peer) { p.must(p.fr.WriteWindowUpdate(1, 0)) }, noError, http2.ErrCodeProtocol},
	{"RST_STREAM on an idle stream", "6.4", func(p *peer) { p.must(p.fr.WriteRSTStream(3, http2.ErrCodeCancel)) }, http2.ErrCodeProtocol, noError},
	{"GOAWAY on a stream", "6.8", func(p *peer) { p.raw(http2.FrameGoAway, 0, 1, make([]byte, 8)...) }, http2.ErrCodeProtocol, noError},
	{"a header block that cannot be decoded", "4.3", func(p *peer) {
		p.must(p.fr.WriteHeaders(http2.HeadersFrameParam{StreamID: 1, BlockFragment: []byte{0x80}, EndHeaders: true}))
	}, http2.ErrCodeCompression, noError},
}

// open opens a stream of the client under test.
func (p *peer) open(end bool) *Stream {
	p.t.Helper()
	var b Batch
	s, err := p.conn.Open(&b, nil, requestFields(), end)
	p.must(err)
	b.Flush()
	return s
}

func TestServerMistakes(t *testing.T) {
	for _, c := range serverMistakes {
		t.Run(c.section+" "+c.name, func(t *testing.T) {
			t.Parallel()
			p := greetedServerOf(t, newRecorder())
			s := p.open(false)
			p.untilRequest()
			c.do(p)
			if c.connection != noError {
				if code := p.untilGoAway(); code != c.connection {
					t.Errorf("the connection ended with %v, want %v", code, c.connection)
				}
			} else if code := p.untilReset(1); code != c.stream {
				t.Errorf("the stream was reset with %v, want %v", code, c.stream)
			}
			// Whatever it was: the request had been sent.
			if why := p.heard.awaitEnding(t, s); why.Kind != Broken {
				t.Errorf("the handler was told %v", why)
			}
			if c.connection != noError {
				return
			}
			next := p.open(true)
			p.headers(3, false, okHeaders)
			p.headers(3, true, fieldsOf("grpc-status", "0"))
			p.heard.await(t, "the next answer", func() bool { return p.heard.whole[next] })
		})
	}
}

// What a server says of a stream, and what the handler is told.
func TestEndings(t *testing.T) {
	for _, c := range []struct {
		name string
		do   func(p *peer)
		want EndKind
		code http2.ErrCode
	}{
		{"reset", func(p *peer) { p.must(p.fr.WriteRSTStream(1, http2.ErrCodeInternal)) }, Reset, http2.ErrCodeInternal},
		{"cancelled", func(p *peer) { p.must(p.fr.WriteRSTStream(1, http2.ErrCodeCancel)) }, Reset, http2.ErrCodeCancel},
		{"refused", func(p *peer) { p.must(p.fr.WriteRSTStream(1, http2.ErrCodeRefusedStream)) }, Unprocessed, http2.ErrCodeRefusedStream},
		{"above the last of a goodbye", func(p *peer) { p.must(p.fr.WriteGoAway(0, http2.ErrCodeNo, nil)) }, Unprocessed, http2.ErrCodeNo},
		{"above the last of an angry goodbye", func(p *peer) {
			p.must(p.fr.WriteGoAway(0, http2.ErrCodeEnhanceYourCalm, nil))
		}, Unprocessed, http2.ErrCodeEnhanceYourCalm},
		{"below the last of a goodbye, and the connection broke", func(p *peer) {
			p.must(p.fr.WriteGoAway(1, http2.ErrCodeNo, nil))
			_ = p.nc.Close()
		}, Broken, http2.ErrCodeNo},
		{"the connection broke", func(p *peer) { _ = p.nc.Close() }, Broken, http2.ErrCodeNo},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			p := greetedServerOf(t, newRecorder())
			s := p.open(true)
			p.untilRequest()
			c.do(p)
			if why := p.heard.awaitEnding(t, s); why.Kind != c.want || why.Code != c.code {
				t.Errorf("the handler was told %v, want %v %v", why, c.want, c.code)
			}
		})
	}
}

// An interim response is passed over (RFC 9110, 15.2).
func TestInterimResponse(t *testing.T) {
	p := greetedServerOf(t, newRecorder())
	s := p.open(true)
	p.headers(1, false, fieldsOf(":status", "103", "link", "x"))
	p.headers(1, false, okHeaders)
	p.headers(1, true, fieldsOf("grpc-status", "0"))
	p.heard.await(t, "the answer", func() bool { return p.heard.whole[s] })
	p.heard.now(func() {
		if got := p.heard.headers[s]; len(got) != 2 || got[0][0].Value != "200" {
			t.Errorf("the handler got %v", got)
		}
	})
}

// A client whose request was answered before it had ended stops sending.
func TestAnswerBeforeTheEnd(t *testing.T) {
	p := greetedServerOf(t, newRecorder())
	s := p.open(false)
	p.headers(1, true, append(okHeaders[:1:1], hpack.HeaderField{Name: "grpc-status", Value: "0"}))
	p.untilReset(1)
	p.heard.await(t, "the answer", func() bool { return p.heard.whole[s] })
	if n := p.conn.Active(); n != 0 {
		t.Errorf("%d streams are open", n)
	}
}

// A server's limit is kept, and so is what is recommended before it is known.
func TestStreamLimitOfTheServer(t *testing.T) {
	p := greetedServerOf(t, newRecorder(), http2.Setting{ID: http2.SettingMaxConcurrentStreams, Val: 2})
	first := p.open(true)
	p.open(true)
	var b Batch
	if _, err := p.conn.Open(&b, nil, requestFields(), true); err != ErrTooManyStreams { //nolint:errorlint // as documented
		t.Errorf("a third stream: %v", err)
	}
	p.headers(1, true, append(okHeaders[:1:1], hpack.HeaderField{Name: "grpc-status", Value: "0"}))
	p.heard.await(t, "an answer", func() bool { return p.heard.whole[first] })
	for p.conn.Active() > 1 { // retired right after the handler was told
		p.must(t.Context().Err())
	}
	p.open(true)

	unknown := serverOf(t, newRecorder())
	for range initialPeerStreams {
		unknown.open(true)
	}
	if err := unknown.conn.Usable(); err != ErrTooManyStreams { //nolint:errorlint // as documented
		t.Errorf("one more than recommended: %v", err)
	}
}
