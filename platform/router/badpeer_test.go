package router

import (
	"bytes"
	"context"
	"net"
	"strings"
	"time"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"
)

// hostile is what a bad peer sends until it is cut off or has had enough.
var hostile = []struct {
	name string
	do   func(p *badPeer)
}{
	{"HTTP/1.1", func(p *badPeer) { p.write([]byte(strings.Repeat("GET / HTTP/1.1\r\n\r\n", 100))) }},
	{"noise", func(p *badPeer) {
		p.greet()
		p.write(bytes.Repeat([]byte{0xa5, 0x5a, 0x00}, 10_000))
	}},
	{"a preface and no more", func(p *badPeer) { p.write([]byte(http2.ClientPreface[:10])) }},
	{"malformed frames", func(p *badPeer) {
		p.greet()
		_ = p.fr.WriteRawFrame(http2.FrameSettings, 0, 0, []byte{1, 2, 3})
	}},
	{"broken compression", func(p *badPeer) {
		p.greet()
		p.headers(1, []byte{0x80}, true)
	}},
	{"header bombs", func(p *badPeer) {
		p.greet()
		bomb := append(requestBlock(p), p.encode("bomb", strings.Repeat("x", 4000))...)
		for id := uint32(1); id < 100; id += 2 {
			p.headers(id, append(bomb, bytes.Repeat([]byte{0xbe}, 8000)...), true)
			bomb = requestBlock(p)
		}
	}},
	{"header blocks without end", func(p *badPeer) {
		p.greet()
		p.headers(1, requestBlock(p), false)
		for range 100 {
			_ = p.fr.WriteContinuation(1, false, nil)
		}
	}},
	{"oversized headers", func(p *badPeer) {
		p.greet()
		p.headers(1, nil, false)
		for range 100 {
			_ = p.fr.WriteContinuation(1, false, make([]byte, 16<<10))
		}
	}},
	{"rapid resets", func(p *badPeer) {
		p.greet()
		for id := uint32(1); id < 20_000; id += 2 {
			p.headers(id, requestBlock(p), true)
			if p.fr.WriteRSTStream(id, http2.ErrCodeCancel) != nil {
				return
			}
		}
	}},
	{"pings", flooding(func(fr *http2.Framer) error { return fr.WritePing(false, [8]byte{}) })},
	{"settings", flooding(func(fr *http2.Framer) error { return fr.WriteSettings() })},
	{"window updates", flooding(func(fr *http2.Framer) error { return fr.WriteWindowUpdate(0, 1) })},
	{"requests that never end", func(p *badPeer) {
		p.greet()
		for id := uint32(1); id < 2000; id += 2 {
			p.headers(id, requestBlock(p), true)
		}
	}},
	{"answers that are never read", func(p *badPeer) {
		p.greet()
		for id := uint32(1); id < 200; id += 2 {
			p.headers(id, append(requestBlock(p), p.encode(bytesAsked, "10000000")...), true)
			_ = p.fr.WriteData(id, true, nil)
		}
	}},
	{"half a connection", func(p *badPeer) {
		p.greet()
		p.headers(1, requestBlock(p), true)
		_ = p.nc.(*net.TCPConn).CloseWrite()
	}},
}

// badPeer is a connection to a router that keeps no rules.
type badPeer struct {
	nc    net.Conn
	fr    *http2.Framer
	enc   *hpack.Encoder
	block bytes.Buffer
}

func (p *badPeer) write(b []byte) { _, _ = p.nc.Write(b) } // it may have been cut off

func (p *badPeer) greet() {
	p.write([]byte(http2.ClientPreface))
	_ = p.fr.WriteSettings()
}

func (p *badPeer) encode(pairs ...string) []byte {
	p.block.Reset()
	for i := 0; i < len(pairs); i += 2 {
		_ = p.enc.WriteField(hpack.HeaderField{Name: pairs[i], Value: pairs[i+1]}) // to memory
	}
	return bytes.Clone(p.block.Bytes())
}

func requestBlock(p *badPeer) []byte {
	var pairs []string
	for _, f := range duplexFields {
		pairs = append(pairs, f.Name, f.Value)
	}
	return p.encode(pairs...)
}

func (p *badPeer) headers(id uint32, block []byte, end bool) {
	_ = p.fr.WriteHeaders(http2.HeadersFrameParam{StreamID: id, BlockFragment: block, EndHeaders: end})
}

func flooding(send func(fr *http2.Framer) error) func(p *badPeer) {
	return func(p *badPeer) {
		p.greet()
		for range 20_000 {
			if send(p.fr) != nil {
				return
			}
		}
	}
}

// hostility is how long a bad peer stays, once it has sent what it wanted.
const hostility = 50 * time.Millisecond

// attack is one visit of a bad peer. It reads nothing.
func attack(ctx context.Context, addr string, do func(p *badPeer)) error {
	nc, err := (&net.Dialer{}).DialContext(ctx, "tcp", addr)
	if err != nil {
		return err
	}
	defer nc.Close()
	_ = nc.SetDeadline(time.Now().Add(time.Second))
	p := &badPeer{nc: nc, fr: http2.NewFramer(nc, nil)}
	p.fr.AllowIllegalWrites = true
	p.enc = hpack.NewEncoder(&p.block)
	do(p)
	timer := time.NewTimer(hostility)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
	return nil
}
