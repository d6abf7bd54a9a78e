package wire

import (
	"errors"
	"io"
	"time"

	"golang.org/x/net/http2"
)

// explain turns an error of the Framer into the end of the connection that RFC
// 9113 asks for.
func (c *Conn) explain(err error) error {
	var code http2.ConnectionError
	switch {
	case errors.As(err, new(*ProtocolError)):
		return err // the peer has been told
	case errors.As(err, &code):
		why := err
		if detail := c.framer.ErrorDetail(); detail != nil {
			why = detail
		}
		return c.failWith(http2.ErrCode(code), "%v", why)
	case errors.Is(err, http2.ErrFrameTooLarge):
		return c.failWith(http2.ErrCodeFrameSize, "a frame of more than %d bytes", frameMax)
	}
	return err
}

// refuseStream answers a broken frame that concerns one stream only.
func (c *Conn) refuseStream(e http2.StreamError) error {
	if err := c.wasted(); err != nil {
		return err
	}
	c.mu.Lock()
	s := c.streams[e.StreamID]
	if s == nil {
		// Nobody knows the stream, but the peer thinks that there is one.
		if c.server && e.StreamID > c.nextID && e.StreamID%2 == 1 {
			c.nextID = e.StreamID
		}
		c.resets.add(e.StreamID)
		c.put(func() error { return c.framer.WriteRSTStream(e.StreamID, e.Code) })
		c.mu.Unlock()
		c.input.batch.add(c)
		return nil
	}
	early := c.server && !s.answered
	s.reset(e.Code)
	c.mu.Unlock()
	c.input.batch.add(c)
	c.config.Handler.Ended(&c.input.batch, s, Ending{Kind: Broken, Code: e.Code, Err: e})
	c.takenBack(s, early)
	return nil
}

// takenBack counts a stream that a client has reset, or made this side reset
// (CVE-2025-8671), early: before it had an answer.
func (c *Conn) takenBack(s *Stream, early bool) {
	if early {
		now := time.Now()
		c.floods.takenBack(now, c.sent(), now.Sub(s.opened))
	}
}

// misframed looks at what the Framer takes for the error of a stream. Headers
// that were not decoded leave the table of header compression behind (RFC 9113,
// 4.3), and what was never opened cannot be reset (5.1).
func (c *Conn) misframed(h http2.FrameHeader, err error) error {
	if errors.Is(err, io.ErrUnexpectedEOF) && c.input.err == nil {
		return c.failWith(http2.ErrCodeFrameSize, "%v that are too short", h.Type)
	}
	if !errors.As(err, new(http2.StreamError)) {
		return err
	}
	if h.Type == http2.FrameHeaders {
		return c.failWith(http2.ErrCodeProtocol, "headers that cannot be read: %v", err)
	}
	c.mu.Lock()
	idle := c.isIdle(h.StreamID)
	c.mu.Unlock()
	if idle {
		return c.failWith(http2.ErrCodeProtocol, "%v on stream %d, which was never opened", h.Type, h.StreamID)
	}
	return err
}

// wasted counts a frame that cost work and brought nothing.
func (c *Conn) wasted() error {
	if c.floods.idle++; c.floods.idle <= floodFree {
		return nil
	}
	if c.floods.tooMany(time.Now(), c.sent()) {
		return c.failWith(http2.ErrCodeEnhanceYourCalm, "too many frames that bring nothing")
	}
	return nil
}

// sent returns how many HEADERS and DATA frames were ever sent.
func (c *Conn) sent() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.framesSent
}

// strayFrame is for a frame on a stream that is not open any more.
func (c *Conn) strayFrame(id uint32) error {
	c.mu.Lock()
	idle, open, expected := c.isIdle(id), c.streams[id] != nil, c.wasReset(id)
	if !idle && !open && !expected {
		c.put(func() error { return c.framer.WriteRSTStream(id, http2.ErrCodeStreamClosed) })
		c.input.batch.add(c)
	}
	c.mu.Unlock()
	switch {
	case idle:
		return c.failWith(http2.ErrCodeProtocol, "a frame on stream %d, which was never opened", id)
	case open: // half closed: the peer has ended it already
		return streamError(id, http2.ErrCodeStreamClosed)
	}
	return c.wasted()
}

// isIdle says whether a stream has never been opened. c.mu is held.
func (c *Conn) isIdle(id uint32) bool {
	if c.server {
		return id%2 == 0 || id > c.nextID
	}
	return id%2 == 0 || id >= c.nextID
}

func streamError(id uint32, code http2.ErrCode) error {
	return http2.StreamError{StreamID: id, Code: code}
}
