package wire

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"testing"
	"time"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"
)

// peer speaks to a connection under test frame by frame, and breaks what rules
// it likes.
type peer struct {
	t     *testing.T
	nc    net.Conn
	fr    *http2.Framer
	enc   *hpack.Encoder
	block bytes.Buffer
	dec   *hpack.Decoder

	conn  *Conn     // under test
	heard *recorder // its handler
}

// connect returns both ends of a connection over the loopback.
func connect(t testing.TB) (dialled, accepted net.Conn) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	dialled, err = net.Dial("tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	if accepted, err = l.Accept(); err != nil {
		t.Fatal(err)
	}
	return dialled, accepted
}

// newPeer puts a peer on nc, the other end of which is c's.
func newPeer(t *testing.T, nc net.Conn, c *Conn, heard *recorder) *peer {
	p := &peer{t: t, nc: nc, fr: http2.NewFramer(nc, nc), conn: c, heard: heard}
	p.fr.AllowIllegalWrites, p.fr.AllowIllegalReads = true, true
	p.enc = hpack.NewEncoder(&p.block)
	p.dec = hpack.NewDecoder(headerTable, nil)
	_ = nc.SetDeadline(time.Now().Add(patience))
	t.Cleanup(func() {
		_ = nc.Close()
		c.Close()
	})
	return p
}

// clientOf is a client that has said nothing yet, of a server under test.
func clientOf(t *testing.T, h *recorder, config Config) *peer {
	t.Helper()
	dialled, accepted := connect(t)
	config.Handler = h
	return newPeer(t, dialled, NewServer(accepted, config), h)
}

// greetedClientOf has sent the preface and its settings.
func greetedClientOf(t *testing.T, h *recorder, config Config) *peer {
	t.Helper()
	p := clientOf(t, h, config)
	p.write([]byte(http2.ClientPreface))
	p.must(p.fr.WriteSettings())
	return p
}

// serverOf is a server that has said nothing yet, of a client under test.
func serverOf(t *testing.T, h *recorder) *peer {
	t.Helper()
	dialled, accepted := connect(t)
	p := newPeer(t, accepted, NewClient(dialled, Config{Handler: h}), h)
	preface := make([]byte, len(http2.ClientPreface))
	if _, err := io.ReadFull(accepted, preface); err != nil || string(preface) != http2.ClientPreface {
		t.Fatalf("the preface is %q, %v", preface, err)
	}
	return p
}

// greetedServerOf has sent its settings.
func greetedServerOf(t *testing.T, h *recorder, settings ...http2.Setting) *peer {
	t.Helper()
	p := serverOf(t, h)
	p.must(p.fr.WriteSettings(settings...))
	ctx := t.Context()
	if err := p.conn.Greeted(ctx); err != nil {
		t.Fatal(err)
	}
	return p
}

func (p *peer) must(err error) {
	p.t.Helper()
	if err != nil {
		p.t.Fatal(err)
	}
}

func (p *peer) write(b []byte) {
	p.t.Helper()
	_, err := p.nc.Write(b)
	p.must(err)
}

// raw sends a frame of any kind.
func (p *peer) raw(kind http2.FrameType, flags http2.Flags, id uint32, payload ...byte) {
	p.t.Helper()
	p.must(p.fr.WriteRawFrame(kind, flags, id, payload))
}

// requestFields are those of a gRPC request, with more behind them.
func requestFields(more ...string) []hpack.HeaderField {
	return fieldsOf(append([]string{":method", "POST", ":scheme", "http", ":path", "/a.B/C", ":authority", "b"}, more...)...)
}

func fieldsOf(pairs ...string) []hpack.HeaderField {
	fields := make([]hpack.HeaderField, 0, len(pairs)/2)
	for i := 0; i < len(pairs); i += 2 {
		fields = append(fields, hpack.HeaderField{Name: pairs[i], Value: pairs[i+1]})
	}
	return fields
}

func (p *peer) encode(fields []hpack.HeaderField) []byte {
	p.block.Reset()
	for _, f := range fields {
		_ = p.enc.WriteField(f) // to memory
	}
	return bytes.Clone(p.block.Bytes())
}

func (p *peer) headers(id uint32, end bool, fields []hpack.HeaderField) {
	p.t.Helper()
	p.must(p.fr.WriteHeaders(http2.HeadersFrameParam{StreamID: id, BlockFragment: p.encode(fields), EndHeaders: true, EndStream: end}))
}

// request opens a stream.
func (p *peer) request(id uint32, end bool) {
	p.t.Helper()
	p.headers(id, end, requestFields())
}

func (p *peer) data(id uint32, end bool, n int) {
	p.t.Helper()
	for first := true; first || n > 0; first = false {
		part := min(n, frameMax)
		n -= part
		p.must(p.fr.WriteData(id, end && n == 0, make([]byte, part)))
	}
}

// seen is a frame in a form that outlives the next one.
type seen struct {
	kind   http2.FrameType
	id     uint32
	end    bool
	ack    bool
	code   http2.ErrCode
	last   uint32
	credit uint32
	window uint32 // of settings
	fields []hpack.HeaderField
	data   []byte
	debug  string
}

func (s seen) String() string {
	return fmt.Sprintf("%v on %d, end %v, code %v %s, %d bytes", s.kind, s.id, s.end, s.code, s.debug, len(s.data))
}

// next returns the next frame.
func (p *peer) next() (seen, error) {
	f, err := p.fr.ReadFrame()
	if err != nil {
		return seen{}, err
	}
	s := seen{kind: f.Header().Type, id: f.Header().StreamID}
	switch f := f.(type) {
	case *http2.DataFrame:
		s.data, s.end = bytes.Clone(f.Data()), f.StreamEnded()
	case *http2.HeadersFrame:
		s.end = f.StreamEnded()
		s.fields, err = p.dec.DecodeFull(f.HeaderBlockFragment())
	case *http2.RSTStreamFrame:
		s.code = f.ErrCode
	case *http2.GoAwayFrame:
		s.code, s.last, s.debug = f.ErrCode, f.LastStreamID, string(f.DebugData())
	case *http2.SettingsFrame:
		s.ack = f.IsAck()
		s.window, _ = f.Value(http2.SettingInitialWindowSize)
	case *http2.PingFrame:
		s.ack = f.IsAck()
		s.data = f.Data[:]
	case *http2.WindowUpdateFrame:
		s.credit = f.Increment
	}
	return s, err
}

// until reads up to the first frame that is wanted.
func (p *peer) until(what string, wanted func(seen) bool) seen {
	p.t.Helper()
	for {
		s, err := p.next()
		if err != nil {
			p.t.Fatalf("waiting for %s: %v", what, err)
		}
		if wanted(s) {
			return s
		}
		if s.kind == http2.FrameGoAway && s.code != http2.ErrCodeNo {
			p.t.Fatalf("waiting for %s: %v", what, s)
		}
	}
}

// untilRequest waits for a request: what the client sends in a batch may wait
// for another that is being written.
func (p *peer) untilRequest() {
	p.t.Helper()
	p.until("the request", func(s seen) bool { return s.kind == http2.FrameHeaders })
}

// untilReset returns the code with which a stream is reset.
func (p *peer) untilReset(id uint32) http2.ErrCode {
	p.t.Helper()
	return p.until(fmt.Sprintf("a reset of stream %d", id), func(s seen) bool {
		return s.kind == http2.FrameRSTStream && s.id == id
	}).code
}

// untilGoAway returns the code with which the connection is ended, and makes
// sure that it is.
func (p *peer) untilGoAway() http2.ErrCode {
	p.t.Helper()
	var last seen
	for {
		s, err := p.next()
		var timeout net.Error
		switch {
		case errors.As(err, &timeout) && timeout.Timeout():
			p.t.Fatal("the connection is still open")
		case err != nil && last.kind != http2.FrameGoAway:
			p.t.Fatalf("the connection ended without a reason: %v", err)
		case err != nil:
			return last.code
		case s.kind == http2.FrameGoAway:
			last = s
		}
	}
}

// serves makes sure that the connection works: a request on stream id is
// answered.
func (p *peer) serves(id uint32) {
	p.t.Helper()
	p.request(id, true)
	p.until(fmt.Sprintf("the answer on stream %d", id), func(s seen) bool {
		return s.kind == http2.FrameHeaders && s.id == id && s.end
	})
}
