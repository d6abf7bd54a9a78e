package wire

import (
	"bytes"
	"errors"
	"io"
	"net"
	"sync"
	"testing"
	"time"

	"golang.org/x/net/http2"
)

// script is a connection whose peer says what was written down beforehand, in
// pieces, and takes everything.
type script struct {
	says  io.Reader
	piece int
	begin chan struct{} // closed when the peer may speak

	mu    sync.Mutex
	heard bytes.Buffer
	over  bool
}

func (s *script) Read(p []byte) (int, error) {
	<-s.begin
	s.mu.Lock()
	over := s.over
	s.mu.Unlock()
	if over {
		return 0, net.ErrClosed
	}
	return s.says.Read(p[:min(len(p), s.piece)])
}

func (s *script) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.over {
		return 0, net.ErrClosed
	}
	return s.heard.Write(p)
}

func (s *script) Close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.over = true
	return nil
}

func (s *script) LocalAddr() net.Addr              { return &net.TCPAddr{} }
func (s *script) RemoteAddr() net.Addr             { return &net.TCPAddr{} }
func (s *script) SetDeadline(time.Time) error      { return nil }
func (s *script) SetReadDeadline(time.Time) error  { return nil }
func (s *script) SetWriteDeadline(time.Time) error { return nil }

// fuzzPieces are how much of the input is read at once.
var fuzzPieces = []int{1, 7, 100, 1 << 20}

func newScript(says []byte, piece uint8) *script {
	return &script{says: bytes.NewReader(says), piece: fuzzPieces[int(piece)%len(fuzzPieces)], begin: make(chan struct{})}
}

// bounded fails the test when a connection holds more than it may.
func bounded(t *testing.T, c *Conn) {
	c.mu.Lock()
	defer c.mu.Unlock()
	switch {
	case c.held < 0 || c.held > heldMax+ConnWindow:
		t.Errorf("%d bytes are held", c.held)
	case c.headersHeld < 0 || c.headersHeld > headersMax:
		t.Errorf("%d bytes of headers are held", c.headersHeld)
	case len(c.blocked) > len(c.streams):
		t.Errorf("%d streams wait of %d", len(c.blocked), len(c.streams))
	case c.recvWindow < 0 || c.recvWindow > ConnWindow:
		t.Errorf("the connection's window is %d", c.recvWindow)
	case c.sendWindow < 0 || c.sendWindow > maxWindow:
		t.Errorf("the peer's window is %d", c.sendWindow)
	case c.out.Len() > outMax+frameMax:
		t.Errorf("%d bytes wait for the socket", c.out.Len())
	}
}

// conclude waits for the end of a connection, and checks that everyone was
// told and that what this side said were frames.
func conclude(t *testing.T, c *Conn, h *recorder, s *script, skip int) {
	t.Helper()
	_ = h.awaitClosed(t)
	c.work.Wait()
	if n := c.Active(); n != 0 {
		t.Errorf("%d streams are open", n)
	}
	h.now(func() {
		for _, s := range h.streams {
			if !s.gone {
				t.Errorf("stream %d has not ended", s.id)
			}
		}
	})
	var wrong *ProtocolError
	failed := errors.As(c.Err(), &wrong)
	fr := http2.NewFramer(nil, bytes.NewReader(s.heard.Bytes()[min(skip, s.heard.Len()):]))
	fr.SetMaxReadFrameSize(sentFrameMax)
	last := noError
	for {
		f, err := fr.ReadFrame()
		if err != nil {
			// It may be cut off when the peer has gone, but not before it was told.
			if !errors.Is(err, io.EOF) && (failed || !errors.Is(err, io.ErrUnexpectedEOF)) {
				t.Errorf("what was sent is no frame: %v", err)
			}
			break
		}
		if f, ok := f.(*http2.GoAwayFrame); ok {
			last = f.ErrCode
		}
	}
	if failed && last != wrong.Code {
		t.Errorf("it ended with %v, and the peer was told %v", wrong, last)
	}
}

// FuzzServer: whatever a client sends behind the preface and its settings, a
// server stays within its bounds and comes to an end in good order.
func FuzzServer(f *testing.F) {
	for _, seed := range fuzzSeeds() {
		f.Add(seed, uint8(3))
	}
	f.Fuzz(func(t *testing.T, said []byte, piece uint8) {
		var says bytes.Buffer
		says.WriteString(http2.ClientPreface)
		_ = http2.NewFramer(&says, nil).WriteSettings() // to memory
		says.Write(said)
		s := newScript(says.Bytes(), piece)
		h := newEcho()
		echoes := h.onData
		h.onData = func(b *Batch, st *Stream, p []byte, end bool) {
			bounded(t, st.conn)
			echoes(b, st, p, end)
		}
		c := NewServer(s, Config{Handler: h, MaxStreams: 100})
		close(s.begin)
		conclude(t, c, h.recorder, s, 0)
	})
}

// FuzzClient is the same for what a server sends to a client with a few
// requests under way.
func FuzzClient(f *testing.F) {
	for _, seed := range fuzzSeeds() {
		f.Add(seed, uint8(3))
	}
	f.Fuzz(func(t *testing.T, said []byte, piece uint8) {
		var says bytes.Buffer
		_ = http2.NewFramer(&says, nil).WriteSettings() // to memory
		says.Write(said)
		s := newScript(says.Bytes(), piece)
		h := newRecorder()
		h.onData = func(b *Batch, st *Stream, p []byte, _ bool) {
			bounded(t, st.conn)
			st.Consume(b, len(p))
		}
		c := NewClient(s, Config{Handler: h})
		var b Batch
		for _, size := range []int{0, 10, 3 * initialWindow} {
			st, err := c.Open(&b, nil, requestFields(), size == 0)
			if err != nil {
				t.Fatal(err)
			}
			if size > 0 {
				st.SendData(&b, make([]byte, size), size == 10)
			}
		}
		b.Flush()
		close(s.begin)
		conclude(t, c, h, s, len(http2.ClientPreface))
	})
}
