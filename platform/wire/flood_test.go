package wire

import (
	"bytes"
	"errors"
	"net"
	"strings"
	"testing"
	"time"

	"golang.org/x/net/http2"
)

// flood sends frames until the connection under test ends, or enough were
// taken to say that it never will. Meanwhile it reads what comes back, or
// nothing.
func flood(t *testing.T, p *peer, reads bool, send func(i int) error) (code http2.ErrCode, sent int) {
	t.Helper()
	const enough = 40 * floodFree
	codes := make(chan http2.ErrCode, 1)
	if reads {
		go func() {
			code := noError
			for {
				s, err := p.next()
				if err != nil {
					codes <- code
					return
				}
				if s.kind == http2.FrameGoAway {
					code = s.code
				}
			}
		}()
	}
	for ; sent < enough; sent++ {
		if send(sent) != nil {
			break
		}
	}
	if sent == enough {
		_ = p.nc.(*net.TCPConn).CloseWrite()
	}
	if reads {
		return <-codes, sent
	}
	return noError, sent
}

// inBulk sends frames in large writes: a flood of streams is one only if thousands
// come in a second, also on a machine that has others to serve.
func inBulk(frames func(p *peer, fr *http2.Framer, i int) error) func(*peer, int) error {
	const size = 16 << 10
	var segment bytes.Buffer
	fr := http2.NewFramer(&segment, nil)
	fr.AllowIllegalWrites = true
	return func(p *peer, i int) error {
		if err := frames(p, fr, i); err != nil || segment.Len() < size {
			return err
		}
		_, err := segment.WriteTo(p.nc)
		return err
	}
}

// Frames that cost work and bring nothing are put up with for a while; then
// the connection ends with ENHANCE_YOUR_CALM (RFC 9113, 10.5).
func TestFloods(t *testing.T) {
	for _, c := range []struct {
		name  string
		begin func(p *peer)
		send  func(p *peer, i int) error
	}{
		{"PING", nil, func(p *peer, _ int) error { return p.fr.WritePing(false, [8]byte{}) }},
		{"answers to PING", nil, func(p *peer, _ int) error { return p.fr.WritePing(true, [8]byte{}) }},
		{"SETTINGS", nil, func(p *peer, _ int) error { return p.fr.WriteSettings() }},
		{"acknowledgements of SETTINGS", nil, func(p *peer, _ int) error { return p.fr.WriteSettingsAck() }},
		{"PRIORITY", nil, func(p *peer, _ int) error { return p.fr.WritePriority(1, http2.PriorityParam{Weight: 1}) }},
		{"unknown frames", nil, func(p *peer, _ int) error { return p.fr.WriteRawFrame(0xbe, 0, 0, nil) }},
		{"GOAWAY", nil, func(p *peer, _ int) error { return p.fr.WriteGoAway(0, http2.ErrCodeNo, nil) }},
		{"empty DATA", (*peer).openOne, func(p *peer, _ int) error { return p.fr.WriteData(1, false, nil) }},
		{"DATA of nothing but padding", (*peer).openOne, func(p *peer, _ int) error { return p.fr.WriteDataPadded(1, false, nil, []byte{0}) }},
		{"DATA on a closed stream", (*peer).closeOne, func(p *peer, _ int) error { return p.fr.WriteData(1, false, []byte{1}) }},
		{"WINDOW_UPDATE", nil, func(p *peer, _ int) error { return p.fr.WriteWindowUpdate(0, 1) }},
		{"WINDOW_UPDATE for a stream", (*peer).openOne, func(p *peer, _ int) error { return p.fr.WriteWindowUpdate(1, 1) }},
		{"RST_STREAM on a closed stream", (*peer).closeOne, func(p *peer, _ int) error { return p.fr.WriteRSTStream(1, http2.ErrCodeCancel) }},
		{"malformed requests", nil, func(p *peer, i int) error {
			return p.fr.WriteHeaders(http2.HeadersFrameParam{StreamID: uint32(2*i + 1), BlockFragment: []byte{0x82}, EndHeaders: true, EndStream: true})
		}},
		{"requests beyond the limit", (*peer).openOne, func(p *peer, i int) error {
			return p.fr.WriteHeaders(http2.HeadersFrameParam{StreamID: uint32(2*i + 3), BlockFragment: p.encode(requestFields()), EndHeaders: true, EndStream: true})
		}},
		// CVE-2023-44487
		{"rapid resets", nil, inBulk(func(p *peer, fr *http2.Framer, i int) error {
			return errors.Join(
				fr.WriteHeaders(http2.HeadersFrameParam{StreamID: uint32(2*i + 1), BlockFragment: p.encode(requestFields()), EndHeaders: true}),
				fr.WriteRSTStream(uint32(2*i+1), http2.ErrCodeCancel))
		})},
		// CVE-2025-8671: the client makes the server do it.
		{"resets provoked", nil, inBulk(func(p *peer, fr *http2.Framer, i int) error {
			return errors.Join(
				fr.WriteHeaders(http2.HeadersFrameParam{StreamID: uint32(2*i + 1), BlockFragment: p.encode(requestFields()), EndHeaders: true}),
				fr.WriteWindowUpdate(uint32(2*i+1), 0))
		})},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			h := newRecorder()
			h.silent.Store(true)
			limit := Config{}
			if c.name == "requests beyond the limit" {
				limit.MaxStreams = 1
			}
			p := greetedClientOf(t, h, limit)
			if c.begin != nil {
				c.begin(p)
			}
			code, sent := flood(t, p, true, func(i int) error { return c.send(p, i) })
			if code != http2.ErrCodeEnhanceYourCalm {
				t.Errorf("after %d frames the connection had ended with %v", sent, code)
			}
			var wrong *ProtocolError
			if err := h.awaitClosed(t); !errors.As(err, &wrong) {
				t.Errorf("the handler was told %v", err)
			}
		})
	}
}

// Streams opened and taken back at once are refused beyond rapidResets, for the
// rest of a second. The connection stays: in an outage a well-behaved client
// with short deadlines comes to that.
func TestRapidResetsAreRefused(t *testing.T) {
	h := newRecorder()
	h.silent.Store(true)
	p := greetedClientOf(t, h, Config{})
	for i := range 2 * rapidResets {
		id := uint32(2*i + 1)
		p.request(id, false)
		p.must(p.fr.WriteRSTStream(id, http2.ErrCodeCancel))
	}
	refused := 0
	p.must(p.fr.WritePing(false, [8]byte{'q'}))
	p.until("the answer to a ping", func(s seen) bool {
		if s.kind == http2.FrameRSTStream && s.code == http2.ErrCodeRefusedStream {
			refused++
		}
		return s.kind == http2.FramePing && s.ack
	})
	opened := 0
	h.now(func() { opened = len(h.streams) })
	if refused == 0 || opened+refused != 2*rapidResets {
		t.Errorf("of %d streams %d were opened, %d refused", 2*rapidResets, opened, refused)
	}
	if err := p.conn.Err(); err != nil {
		t.Error(err)
	}
}

// What makes for refusal is the number of streams taken back early, and their
// share, in one second.
func TestRapidWindow(t *testing.T) {
	began := time.Unix(1, 0)
	for _, c := range []struct {
		name           string
		rapids, opened int
		at             time.Duration
		want           bool
	}{
		{"just enough", rapidResets, rapidResets, 0, false},
		{"too many", rapidResets + 1, rapidResets + 1, 0, true},
		{"half of them good", rapidResets + 1, 2*rapidResets + 2, 0, false},
		{"a new second", rapidResets + 1, rapidResets + 1, floodWindow, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			f := floods{began: began, rapids: c.rapids, opened: c.opened}
			if got := f.refuses(began.Add(c.at)); got != c.want {
				t.Errorf("refuses: %v, want %v", got, c.want)
			}
		})
	}
}

func (p *peer) openOne() { p.request(1, false) }

func (p *peer) closeOne() {
	p.heard.silent.Store(false)
	p.serves(1)
}

// What a busy peer sends is no flood, however much of it brings nothing by
// itself: for each burst of data a ping and two window updates.
func TestBusyIsNoFlood(t *testing.T) {
	p := greetedClientOf(t, newRecorder(), Config{})
	p.request(1, false)
	go func() { // until the connection is closed
		for {
			if _, err := p.next(); err != nil {
				return
			}
		}
	}()
	for range 2 * floodFree {
		p.data(1, false, 1)
		p.must(p.fr.WritePing(false, [8]byte{}))
		p.must(p.fr.WriteWindowUpdate(0, 1))
		p.must(p.fr.WriteWindowUpdate(1, 1))
	}
	s := p.heard.awaitStream(t, 0)
	p.heard.await(t, "all of it", func() bool { return p.heard.bytes[s] == 2*floodFree })
}

// A client that takes back many requests at once, as one whose own caller is
// gone does, is not cut off for the answers that were on their way.
func TestAnswersToWhatWasTakenBack(t *testing.T) {
	const streams = 2 * floodFree
	h := newRecorder()
	p := greetedServerOf(t, h, http2.Setting{ID: http2.SettingMaxConcurrentStreams, Val: streams + 1})
	var open []*Stream
	for range streams {
		open = append(open, p.open(true))
	}
	var b Batch
	for _, s := range open {
		s.Reset(&b, http2.ErrCodeCancel)
	}
	b.Flush()
	var answers bytes.Buffer
	fr := http2.NewFramer(&answers, nil)
	for i := range open {
		id := uint32(2*i + 1)
		p.must(fr.WriteHeaders(http2.HeadersFrameParam{StreamID: id, BlockFragment: p.encode(okHeaders), EndHeaders: true}))
		p.must(fr.WriteData(id, false, make([]byte, 10)))
		p.must(fr.WriteHeaders(http2.HeadersFrameParam{StreamID: id, BlockFragment: p.encode(fieldsOf("grpc-status", "0")), EndHeaders: true, EndStream: true}))
	}
	p.write(answers.Bytes())
	last := p.open(true)
	p.headers(2*streams+1, true, append(okHeaders[:1:1], answerTrailers...))
	h.await(t, "the answer of a request after that", func() bool { return h.whole[last] })
}

// A peer that does not read, and makes the connection owe it more and more, is
// cut off when it owes outMax.
func TestPeerThatDoesNotRead(t *testing.T) {
	h := newRecorder()
	p := greetedClientOf(t, h, Config{})
	_ = p.nc.(*net.TCPConn).SetReadBuffer(4096)
	large := requestFields()
	h.onOpen = func(b *Batch, s *Stream) {
		s.SendHeaders(b, append(answerHeaders[:1:1], fieldsOf("x", strings.Repeat("x", 8000))...), false)
	}
	most := 0
	_, sent := flood(t, p, false, func(i int) error {
		p.conn.mu.Lock()
		most = max(most, p.conn.out.Len())
		p.conn.mu.Unlock()
		return p.fr.WriteHeaders(http2.HeadersFrameParam{StreamID: uint32(2*i + 1), BlockFragment: p.encode(large), EndHeaders: true, EndStream: true})
	})
	err := h.awaitClosed(t)
	var wrong *ProtocolError
	if !errors.As(err, &wrong) || wrong.Code != http2.ErrCodeEnhanceYourCalm {
		t.Errorf("after %d requests: %v", sent, err)
	}
	if most > outMax+MaxHeaderBytes {
		t.Errorf("%d bytes waited for it", most)
	}
}

// Data for a peer that does not read stays where it is: no more than outHigh
// and a frame of it is ever in the buffer.
func TestDataWaitsForTheSocket(t *testing.T) {
	const streams, size = 50, 1 << 19
	h := newRecorder()
	h.silent.Store(true)
	h.onOpen = answers(size, true)
	p := greetedClientOf(t, h, Config{})
	p.must(p.fr.WriteWindowUpdate(0, 1<<30))
	settle(http2.SettingInitialWindowSize, 1<<30)(p)
	for i := range streams {
		p.request(uint32(2*i+1), true)
	}
	h.awaitStream(t, streams-1)
	p.conn.mu.Lock()
	if n := p.conn.out.Len(); n > outHigh+frameMax {
		t.Errorf("%d bytes wait for the socket", n)
	}
	p.conn.mu.Unlock()
	got, ended := map[uint32]int{}, 0
	for ended < streams {
		s := p.until("data", func(s seen) bool { return s.kind == http2.FrameData })
		got[s.id] += len(s.data)
		if s.end {
			ended++
			if got[s.id] != size {
				t.Errorf("stream %d ended after %d bytes", s.id, got[s.id])
			}
		}
	}
}

// The bound on floods is about what comes in a second, of whatever kind.
func TestFloodWindow(t *testing.T) {
	began := time.Unix(1, 0)
	for _, c := range []struct {
		name               string
		idle, useful, sent int
		at                 time.Duration
		want               bool
	}{
		{"just enough", floodFree, 0, 0, 0, false},
		{"too many", floodFree + 1, 0, 0, 0, true},
		{"useful ones excuse", floodFree + floodPerUse, 1, 0, 0, false},
		{"answers excuse", floodFree + floodPerUse, 0, 1, 0, false},
		{"a new second", 10 * floodFree, 0, 0, floodWindow, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			f := floods{began: began, idle: c.idle, useful: c.useful}
			if got := f.tooMany(began.Add(c.at), c.sent); got != c.want {
				t.Errorf("too many: %v, want %v", got, c.want)
			}
		})
	}
}
