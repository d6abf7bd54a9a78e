package wire

import (
	"math"
	"testing"

	"golang.org/x/net/http2"
)

// What a client may do wrong in one frame, and what it gets for it. Sections
// are those of RFC 9113.
var clientMistakes = []struct {
	name, section string
	do            func(p *peer)
	connection    http2.ErrCode // with which the connection is ended; or
	stream        http2.ErrCode // with which stream 1 is
}{
	{"a frame larger than allowed", "4.2", func(p *peer) {
		p.request(1, false)
		p.raw(http2.FrameData, 0, 1, make([]byte, frameMax+1)...)
	}, http2.ErrCodeFrameSize, noError},

	{"DATA on stream 0", "6.1", func(p *peer) { p.raw(http2.FrameData, 0, 0, 'x') }, http2.ErrCodeProtocol, noError},
	{"DATA on an idle stream", "5.1", func(p *peer) { p.raw(http2.FrameData, 0, 1, 'x') }, http2.ErrCodeProtocol, noError},
	{"DATA on an even stream", "5.1.1", func(p *peer) { p.raw(http2.FrameData, 0, 2, 'x') }, http2.ErrCodeProtocol, noError},
	{"DATA with more padding than frame", "6.1", func(p *peer) {
		p.request(1, false)
		p.raw(http2.FrameData, http2.FlagDataPadded, 1, 200, 'x')
	}, http2.ErrCodeProtocol, noError},
	{"DATA on a stream that the client has ended", "5.1", func(p *peer) {
		p.heard.silent.Store(true)
		p.request(1, true)
		p.data(1, false, 1)
	}, noError, http2.ErrCodeStreamClosed},
	{"DATA on a closed stream", "5.1", func(p *peer) {
		p.serves(1)
		p.data(1, false, 1)
	}, noError, http2.ErrCodeStreamClosed},
	{"DATA beyond the window of the stream", "6.9.1", func(p *peer) {
		p.heard.hoards.Store(true)
		p.request(1, false)
		p.data(1, false, StreamWindow+1)
	}, noError, http2.ErrCodeFlowControl},

	{"HEADERS on stream 0", "6.2", func(p *peer) { p.request(0, true) }, http2.ErrCodeProtocol, noError},
	{"HEADERS on an even stream", "5.1.1", func(p *peer) { p.request(2, true) }, http2.ErrCodeProtocol, noError},
	{"HEADERS on a stream below the last", "5.1.1", func(p *peer) {
		p.serves(5)
		p.request(3, true)
	}, http2.ErrCodeStreamClosed, noError},
	{"HEADERS on a closed stream", "5.1", func(p *peer) {
		p.serves(1)
		p.request(1, true)
	}, http2.ErrCodeStreamClosed, noError},
	{"HEADERS on a stream that the client has ended", "5.1", func(p *peer) {
		p.heard.silent.Store(true)
		p.request(1, true)
		p.request(1, true)
	}, noError, http2.ErrCodeStreamClosed},
	{"HEADERS with more padding than frame", "6.2", func(p *peer) {
		p.raw(http2.FrameHeaders, http2.FlagHeadersPadded|http2.FlagHeadersEndHeaders, 1, append([]byte{200}, p.encode(requestFields())...)...)
	}, http2.ErrCodeProtocol, noError},
	{"HEADERS shorter than their priority", "6.2", func(p *peer) {
		p.raw(http2.FrameHeaders, http2.FlagHeadersPriority|http2.FlagHeadersEndHeaders, 1, 0, 0)
	}, http2.ErrCodeFrameSize, noError},
	{"HEADERS that depend on themselves", "5.3.1 of RFC 7540", func(p *peer) {
		p.must(p.fr.WriteHeaders(http2.HeadersFrameParam{
			StreamID: 1, BlockFragment: p.encode(requestFields()), EndHeaders: true, Priority: http2.PriorityParam{StreamDep: 1, Weight: 1},
		}))
	}, noError, http2.ErrCodeProtocol},

	{"PRIORITY on stream 0", "6.3", func(p *peer) { p.raw(http2.FramePriority, 0, 0, 0, 0, 0, 0, 0) }, http2.ErrCodeProtocol, noError},
	{"PRIORITY of 4 bytes", "6.3", func(p *peer) { p.raw(http2.FramePriority, 0, 1, 0, 0, 0, 0) }, http2.ErrCodeFrameSize, noError},

	{"RST_STREAM on stream 0", "6.4", func(p *peer) { p.raw(http2.FrameRSTStream, 0, 0, 0, 0, 0, 8) }, http2.ErrCodeProtocol, noError},
	{"RST_STREAM on an idle stream", "6.4", func(p *peer) { p.raw(http2.FrameRSTStream, 0, 1, 0, 0, 0, 8) }, http2.ErrCodeProtocol, noError},
	{"RST_STREAM of 3 bytes", "6.4", func(p *peer) {
		p.request(1, false)
		p.raw(http2.FrameRSTStream, 0, 1, 0, 0, 0)
	}, http2.ErrCodeFrameSize, noError},

	{"SETTINGS on a stream", "6.5", func(p *peer) { p.raw(http2.FrameSettings, 0, 1) }, http2.ErrCodeProtocol, noError},
	{"SETTINGS of 5 bytes", "6.5", func(p *peer) { p.raw(http2.FrameSettings, 0, 0, 0, 0, 0, 0, 0) }, http2.ErrCodeFrameSize, noError},
	{"an acknowledgement with settings", "6.5", func(p *peer) {
		p.raw(http2.FrameSettings, http2.FlagSettingsAck, 0, 0, 0, 0, 0, 0, 0)
	}, http2.ErrCodeFrameSize, noError},
	{"ENABLE_PUSH 2", "6.5.2", settle(http2.SettingEnablePush, 2), http2.ErrCodeProtocol, noError},
	{"INITIAL_WINDOW_SIZE 2^31", "6.5.2", settle(http2.SettingInitialWindowSize, 1<<31), http2.ErrCodeFlowControl, noError},
	{"MAX_FRAME_SIZE 2^14-1", "6.5.2", settle(http2.SettingMaxFrameSize, 1<<14-1), http2.ErrCodeProtocol, noError},
	{"MAX_FRAME_SIZE 2^24", "6.5.2", settle(http2.SettingMaxFrameSize, 1<<24), http2.ErrCodeProtocol, noError},
	{"a larger INITIAL_WINDOW_SIZE that overflows a window", "6.9.2", func(p *peer) {
		p.request(1, false)
		p.must(p.fr.WriteWindowUpdate(1, math.MaxInt32-initialWindow))
		p.must(p.fr.WriteSettings(http2.Setting{ID: http2.SettingInitialWindowSize, Val: initialWindow + 1}))
	}, http2.ErrCodeFlowControl, noError},

	{"PUSH_PROMISE from a client", "8.4", func(p *peer) {
		p.request(1, false)
		p.must(p.fr.WritePushPromise(http2.PushPromiseParam{StreamID: 1, PromiseID: 2, BlockFragment: p.encode(requestFields()), EndHeaders: true}))
	}, http2.ErrCodeProtocol, noError},

	{"PING on a stream", "6.7", func(p *peer) { p.raw(http2.FramePing, 0, 1, make([]byte, 8)...) }, http2.ErrCodeProtocol, noError},
	{"PING of 7 bytes", "6.7", func(p *peer) { p.raw(http2.FramePing, 0, 0, make([]byte, 7)...) }, http2.ErrCodeFrameSize, noError},

	{"GOAWAY on a stream", "6.8", func(p *peer) { p.raw(http2.FrameGoAway, 0, 1, make([]byte, 8)...) }, http2.ErrCodeProtocol, noError},
	{"GOAWAY of 7 bytes", "6.8", func(p *peer) { p.raw(http2.FrameGoAway, 0, 0, make([]byte, 7)...) }, http2.ErrCodeFrameSize, noError},

	{"WINDOW_UPDATE of 0 for the connection", "6.9", func(p *peer) { p.must(p.fr.WriteWindowUpdate(0, 0)) }, http2.ErrCodeProtocol, noError},
	{"WINDOW_UPDATE of 0 for a stream", "6.9", func(p *peer) {
		p.request(1, false)
		p.must(p.fr.WriteWindowUpdate(1, 0))
	}, noError, http2.ErrCodeProtocol},
	{"WINDOW_UPDATE of 3 bytes", "6.9", func(p *peer) { p.raw(http2.FrameWindowUpdate, 0, 0, 0, 0, 1) }, http2.ErrCodeFrameSize, noError},
	{"WINDOW_UPDATE for an idle stream", "5.1", func(p *peer) { p.must(p.fr.WriteWindowUpdate(1, 1)) }, http2.ErrCodeProtocol, noError},
	{"WINDOW_UPDATE of 0 for an idle stream", "5.1", func(p *peer) { p.must(p.fr.WriteWindowUpdate(1, 0)) }, http2.ErrCodeProtocol, noError},
	{"WINDOW_UPDATE beyond 2^31-1 for the connection", "6.9.1", func(p *peer) { p.must(p.fr.WriteWindowUpdate(0, math.MaxInt32)) }, http2.ErrCodeFlowControl, noError},
	{"WINDOW_UPDATE beyond 2^31-1 for a stream", "6.9.1", func(p *peer) {
		p.request(1, false)
		p.must(p.fr.WriteWindowUpdate(1, math.MaxInt32))
	}, noError, http2.ErrCodeFlowControl},

	{"CONTINUATION on stream 0", "6.10", func(p *peer) { p.must(p.fr.WriteContinuation(0, true, nil)) }, http2.ErrCodeProtocol, noError},
	{"CONTINUATION without HEADERS", "6.10", func(p *peer) {
		p.request(1, false)
		p.must(p.fr.WriteContinuation(1, true, nil))
	}, http2.ErrCodeProtocol, noError},
	{"CONTINUATION of another stream", "6.10", func(p *peer) {
		beginHeaders(p, 1)
		p.must(p.fr.WriteContinuation(3, true, nil))
	}, http2.ErrCodeProtocol, noError},
	{"another frame inside a header block", "6.10", func(p *peer) {
		beginHeaders(p, 1)
		p.must(p.fr.WritePing(false, [8]byte{}))
	}, http2.ErrCodeProtocol, noError},
	{"an unknown frame inside a header block", "5.5", func(p *peer) {
		beginHeaders(p, 1)
		p.raw(0xbe, 0, 1)
	}, http2.ErrCodeProtocol, noError},
	{"other HEADERS inside a header block", "6.10", func(p *peer) {
		beginHeaders(p, 1)
		p.request(3, true)
	}, http2.ErrCodeProtocol, noError},
}

// settle sends one setting.
func settle(id http2.SettingID, value uint32) func(p *peer) {
	return func(p *peer) { p.must(p.fr.WriteSettings(http2.Setting{ID: id, Val: value})) }
}

// beginHeaders sends the first half of a header block.
func beginHeaders(p *peer, id uint32) {
	p.must(p.fr.WriteHeaders(http2.HeadersFrameParam{StreamID: id, BlockFragment: p.encode(requestFields())}))
}

func TestClientMistakes(t *testing.T) {
	for _, c := range clientMistakes {
		t.Run(c.section+" "+c.name, func(t *testing.T) {
			t.Parallel()
			p := greetedClientOf(t, newRecorder(), Config{})
			c.do(p)
			if c.connection != noError {
				if code := p.untilGoAway(); code != c.connection {
					t.Errorf("the connection ended with %v, want %v", code, c.connection)
				}
				return
			}
			if code := p.untilReset(1); code != c.stream {
				t.Errorf("the stream was reset with %v, want %v", code, c.stream)
			}
			p.heard.silent.Store(false)
			p.serves(101)
		})
	}
}

// What a client may do although it looks odd.
var clientLiberties = []struct {
	name, section string
	do            func(p *peer)
}{
	{"an unknown frame", "4.1", func(p *peer) { p.raw(0xbe, 0xff, 77, 1, 2, 3) }},
	{"an unknown setting", "6.5.2", settle(0xbeef, 1)},
	{"flags that mean nothing", "4.1", func(p *peer) { p.raw(http2.FramePing, 0xfe, 0, make([]byte, 8)...) }},
	{"PRIORITY for an idle stream", "5.1", func(p *peer) { p.must(p.fr.WritePriority(99, http2.PriorityParam{Weight: 1})) }},
	{"padding", "6.1", func(p *peer) {
		p.request(1, false)
		p.must(p.fr.WriteDataPadded(1, false, []byte("x"), make([]byte, 200)))
	}},
	{"RST_STREAM on a closed stream", "5.1", func(p *peer) {
		p.serves(1)
		p.must(p.fr.WriteRSTStream(1, http2.ErrCodeCancel))
	}},
	{"WINDOW_UPDATE on a closed stream", "5.1", func(p *peer) {
		p.serves(1)
		p.must(p.fr.WriteWindowUpdate(1, 1))
	}},
	{"a goodbye", "6.8", func(p *peer) { p.must(p.fr.WriteGoAway(0, http2.ErrCodeNo, nil)) }},
	{"streams left out", "5.1.1", func(p *peer) { p.serves(51) }},
	{"trailers", "8.1", func(p *peer) {
		p.request(1, false)
		p.headers(1, true, fieldsOf("grpc-something", "x"))
	}},
	{"a header block in pieces", "6.10", func(p *peer) {
		block := p.encode(requestFields())
		p.must(p.fr.WriteHeaders(http2.HeadersFrameParam{StreamID: 1, BlockFragment: block[:3], EndStream: true}))
		p.must(p.fr.WriteContinuation(1, false, nil))
		p.must(p.fr.WriteContinuation(1, true, block[3:]))
	}},
	{"the largest frame", "4.2", func(p *peer) {
		p.request(1, false)
		p.data(1, false, frameMax)
	}},
	{"the window to its last byte", "6.9.1", func(p *peer) {
		p.heard.hoards.Store(true)
		p.request(1, false)
		p.data(1, false, StreamWindow)
		p.data(1, true, 0)
	}},
	{"no table of header compression", "6.5.2", settle(http2.SettingHeaderTableSize, 0)},
}

func TestClientLiberties(t *testing.T) {
	for _, c := range clientLiberties {
		t.Run(c.section+" "+c.name, func(t *testing.T) {
			t.Parallel()
			p := greetedClientOf(t, newRecorder(), Config{})
			c.do(p)
			p.serves(101)
		})
	}
}
