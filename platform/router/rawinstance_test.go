package router

import (
	"bytes"
	"io"
	"net"
	"sync"
	"testing"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"
)

// rawInstance is an instance that speaks frames, and so can do what no server
// does.
type rawInstance struct {
	addr  string
	mu    sync.Mutex
	conns []*rawConn
}

// rawConn is a connection to a rawInstance.
type rawConn struct {
	nc    net.Conn
	fr    *http2.Framer
	enc   *hpack.Encoder
	block bytes.Buffer
	index int // of the connection, from 1
}

// headers sends a header list of names and values.
func (c *rawConn) headers(id uint32, end bool, pairs ...string) {
	c.block.Reset()
	for i := 0; i < len(pairs); i += 2 {
		_ = c.enc.WriteField(hpack.HeaderField{Name: pairs[i], Value: pairs[i+1]})
	}
	_ = c.fr.WriteHeaders(http2.HeadersFrameParam{StreamID: id, BlockFragment: c.block.Bytes(), EndHeaders: true, EndStream: end})
}

// startRaw starts an instance that hands each frame to serve.
func startRaw(t *testing.T, serve func(c *rawConn, f http2.Frame)) instance {
	t.Helper()
	l := listen(t)
	r := &rawInstance{addr: l.Addr().String()}
	var work sync.WaitGroup
	work.Go(func() {
		for {
			nc, err := l.Accept()
			if err != nil {
				return
			}
			r.mu.Lock()
			c := &rawConn{nc: nc, fr: http2.NewFramer(nc, nc), index: len(r.conns) + 1}
			c.enc = hpack.NewEncoder(&c.block)
			r.conns = append(r.conns, c)
			r.mu.Unlock()
			work.Go(func() { c.serve(serve) })
		}
	})
	t.Cleanup(func() {
		_ = l.Close()
		r.mu.Lock()
		for _, c := range r.conns {
			_ = c.nc.Close()
		}
		r.mu.Unlock()
		work.Wait()
	})
	return instance{"echo-1", r.addr}
}

func (c *rawConn) serve(serve func(c *rawConn, f http2.Frame)) {
	if _, err := io.ReadFull(c.nc, make([]byte, len(http2.ClientPreface))); err != nil {
		return
	}
	_ = c.fr.WriteSettings()
	for {
		f, err := c.fr.ReadFrame()
		if err != nil {
			return
		}
		if s, ok := f.(*http2.SettingsFrame); ok && !s.IsAck() {
			_ = c.fr.WriteSettingsAck()
		}
		serve(c, f)
	}
}
