package wire

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"time"

	"golang.org/x/net/http2"
)

// read is the goroutine of the connection.
func (c *Conn) read() {
	c.end(c.serve())
}

// serve reads frames until the connection is over.
func (c *Conn) serve() error {
	// What the first bytes from this side are does not depend on the peer's.
	c.input.batch.add(c)
	if err := c.readPreface(); err != nil {
		return err
	}
	for {
		err := c.readFrame()
		if err == nil {
			continue
		}
		var wrong http2.StreamError
		if errors.As(err, &wrong) {
			err = c.refuseStream(wrong)
		}
		if err != nil {
			return c.explain(err)
		}
	}
}

// readFrame reads a frame and does what it asks for. Data is taken from where
// it is; the Framer would copy it.
func (c *Conn) readFrame() error {
	h, err := c.framer.ReadFrameHeader()
	if err != nil {
		return err //nolint:wrapcheck // explain looks at it
	}
	if !c.met {
		if err := c.meet(h); err != nil {
			return err
		}
	}
	if h.Type == http2.FrameData {
		p, err := c.input.next(int(h.Length))
		if err != nil {
			return err
		}
		return c.data(h, p)
	}
	f, err := c.framer.ReadFrameForHeader(h)
	if err != nil {
		return c.misframed(h, err)
	}
	return c.frame(f)
}

// meet takes the first frame of a peer, which must be its settings (RFC 9113,
// 3.4).
func (c *Conn) meet(h http2.FrameHeader) error {
	if h.Type != http2.FrameSettings || h.Flags.Has(http2.FlagSettingsAck) {
		return c.failWith(http2.ErrCodeProtocol, "%v before the settings", h.Type)
	}
	c.met = true
	if err := c.socket.nc.SetReadDeadline(time.Time{}); err != nil {
		return fmt.Errorf("read the settings: %w", err)
	}
	return nil
}

// readPreface reads what a client says first.
func (c *Conn) readPreface() error {
	if !c.server {
		return nil
	}
	if err := c.socket.nc.SetReadDeadline(time.Now().Add(prefaceTimeout)); err != nil {
		return fmt.Errorf("read the preface: %w", err)
	}
	preface := make([]byte, len(http2.ClientPreface))
	if _, err := io.ReadFull(c.input, preface); err != nil {
		return fmt.Errorf("read the preface: %w", err)
	}
	if !bytes.Equal(preface, []byte(http2.ClientPreface)) {
		return c.failWith(http2.ErrCodeProtocol, "this is not HTTP/2")
	}
	return nil // the time for it includes the settings
}

// frame does what one frame asks for.
func (c *Conn) frame(f http2.Frame) error {
	switch f := f.(type) {
	case *http2.HeadersFrame:
		return c.headers(f)
	case *http2.ContinuationFrame:
		return c.continuation(f)
	case *http2.WindowUpdateFrame:
		return c.windowUpdate(f)
	case *http2.RSTStreamFrame:
		return c.rstStream(f)
	case *http2.SettingsFrame:
		return c.settings(f)
	case *http2.PingFrame:
		return c.ping(f)
	case *http2.GoAwayFrame:
		return c.goAway(f)
	case *http2.PushPromiseFrame:
		return c.failWith(http2.ErrCodeProtocol, "pushed although push is off")
	default: // PRIORITY, and frames from the future
		return c.wasted()
	}
}

// data takes a DATA frame.
func (c *Conn) data(h http2.FrameHeader, p []byte) error {
	id, end := h.StreamID, h.Flags.Has(http2.FlagDataEndStream)
	size := int64(h.Length) // with the padding
	if id == 0 {
		return c.failWith(http2.ErrCodeProtocol, "data on stream 0")
	}
	if h.Flags.Has(http2.FlagDataPadded) {
		var ok bool
		if p, ok = unpad(p); !ok {
			return c.failWith(http2.ErrCodeProtocol, "more padding than data")
		}
	}
	c.mu.Lock()
	if size > c.recvWindow {
		c.mu.Unlock()
		return c.failWith(http2.ErrCodeFlowControl, "more data than the connection's window")
	}
	c.recvWindow -= size
	c.unreturned += size
	s := c.streams[id]
	if s == nil || s.remoteEnded {
		c.returnCredit()
		c.mu.Unlock()
		c.input.batch.add(c)
		return c.strayFrame(id)
	}
	if size > s.recvWindow || !c.server && !s.answered {
		code := http2.ErrCodeFlowControl
		if size <= s.recvWindow {
			code = http2.ErrCodeProtocol // data of an answer that has not begun
		}
		c.mu.Unlock()
		return streamError(id, code)
	}
	s.recvWindow -= size
	s.held += int64(len(p))
	c.held += int64(len(p))
	s.remoteEnded = end
	if padding := size - int64(len(p)); padding > 0 { // nobody will consume it
		s.unreturned += padding
		s.returnCredit(nil)
	}
	c.returnCredit()
	c.resize()
	retired := c.retireEarly(s)
	c.mu.Unlock()
	c.input.batch.add(c)
	if len(p) > 0 || end {
		c.floods.useful++
	} else if err := c.wasted(); err != nil {
		return err
	}
	c.config.Handler.Data(&c.input.batch, s, p, end)
	if end && !retired {
		c.retire(s)
	}
	return nil
}

// unpad takes the padding off a padded frame (RFC 9113, 6.1): its length comes
// first, itself last.
func unpad(p []byte) (data []byte, ok bool) {
	if len(p) == 0 || int(p[0]) >= len(p) {
		return nil, false
	}
	return p[1 : len(p)-int(p[0])], true
}

func (c *Conn) rstStream(f *http2.RSTStreamFrame) error {
	id := f.Header().StreamID
	c.mu.Lock()
	s := c.streams[id]
	if s == nil {
		idle := c.isIdle(id)
		c.mu.Unlock()
		if idle {
			return c.failWith(http2.ErrCodeProtocol, "a reset of stream %d, which was never opened", id)
		}
		return c.wasted()
	}
	s.drop()
	early := c.server && !s.answered
	c.finishIdle()
	c.mu.Unlock()
	c.input.batch.add(c)
	why := Ending{Kind: Reset, Code: f.ErrCode}
	if f.ErrCode == http2.ErrCodeRefusedStream {
		why.Kind = Unprocessed
	}
	c.config.Handler.Ended(&c.input.batch, s, why)
	c.takenBack(s, early)
	return nil
}

func (c *Conn) ping(f *http2.PingFrame) error {
	if err := c.wasted(); err != nil {
		return err
	}
	if f.IsAck() {
		if f.Data == goodbyePing {
			c.goodbye()
			c.input.batch.add(c)
		}
		return nil
	}
	c.mu.Lock()
	c.put(func() error { return c.framer.WritePing(true, f.Data) })
	c.mu.Unlock()
	c.input.batch.add(c)
	return nil
}

// goAway is the server saying that it takes no more streams, and which it has
// not looked at.
func (c *Conn) goAway(f *http2.GoAwayFrame) error {
	if c.server {
		return c.wasted() // a client that goes away just does
	}
	var unseen []*Stream
	c.mu.Lock()
	c.goingAway, c.closeIdle = true, true
	for id, s := range c.streams {
		if id > f.LastStreamID {
			unseen = append(unseen, s)
			s.drop()
		}
	}
	c.finishIdle()
	c.mu.Unlock()
	c.input.batch.add(c)
	c.config.Handler.Draining(c)
	for _, s := range unseen {
		c.config.Handler.Ended(&c.input.batch, s, Ending{Kind: Unprocessed, Code: f.ErrCode})
	}
	return c.wasted()
}

// retireEarly takes a client's stream out of the table that both sides have
// ended, before the handler is told: it may open the next one in its place,
// which a peer that allows few has room for by now. c.mu is held.
func (c *Conn) retireEarly(s *Stream) bool {
	if c.server || !s.remoteEnded || !s.localEnded {
		return false
	}
	s.finish()
	c.input.batch.add(c)
	return true
}

// retire is called when the peer has said everything on a stream. A client that
// has the whole answer stops asking.
func (c *Conn) retire(s *Stream) {
	c.mu.Lock()
	if !c.server && !s.localEnded {
		s.reset(http2.ErrCodeNo)
	}
	s.finish()
	c.mu.Unlock()
	c.input.batch.add(c)
}
