package wire

import "golang.org/x/net/http2"

// unblock sends what has been waiting for windows or for the socket, a frame
// of each stream in turn. It returns what to tell the handler. c.mu is held.
func (c *Conn) unblock() []passed {
	var sent []passed
	for progress := true; progress; {
		progress = false
		still := c.blocked[:0]
		for _, s := range c.blocked {
			w := s.waiting
			if s.gone || w == nil {
				continue
			}
			n := c.putData(s, w.data[:min(len(w.data), c.peer.frameSize)], w.end && w.trailers == nil && len(w.data) <= c.peer.frameSize)
			if n > 0 {
				progress = true
				w.data = w.data[n:]
				sent = append(sent, passed{s, n})
			}
			if len(w.data) > 0 {
				still = append(still, s)
				continue
			}
			s.waiting = nil
			if w.trailers != nil {
				s.sendHeaders(w.trailers, w.end)
			}
		}
		clear(c.blocked[len(still):])
		c.blocked = still
	}
	return sent
}

// tell reports to the handler what unblock has sent.
func (c *Conn) tell(b *Batch, sent []passed) {
	for _, p := range sent {
		c.config.Handler.Sent(b, p.stream, p.bytes)
	}
}

// windowUpdate is the peer taking more.
func (c *Conn) windowUpdate(f *http2.WindowUpdateFrame) error {
	if err := c.wasted(); err != nil {
		return err
	}
	id, more := f.Header().StreamID, int64(f.Increment)
	var sent []passed
	c.mu.Lock()
	window := &c.sendWindow
	if id != 0 {
		s := c.streams[id]
		if s == nil {
			idle := c.isIdle(id)
			c.mu.Unlock()
			if idle {
				return c.failWith(http2.ErrCodeProtocol, "a window for stream %d, which was never opened", id)
			}
			return nil // it has ended meanwhile
		}
		window = &s.sendWindow
	}
	*window += more
	if *window > maxWindow {
		c.mu.Unlock()
		if id != 0 {
			return streamError(id, http2.ErrCodeFlowControl)
		}
		return c.failWith(http2.ErrCodeFlowControl, "a window of more than %d bytes", maxWindow)
	}
	if len(c.blocked) > 0 {
		sent = c.unblock()
		c.input.batch.add(c)
	}
	c.mu.Unlock()
	c.tell(&c.input.batch, sent)
	return nil
}

// returnCredit refills the window of the connection. It reports whether it has
// written anything. c.mu is held.
func (c *Conn) returnCredit() bool {
	if c.unreturned < ConnWindow/4 || c.held > heldMax {
		return false
	}
	credit := c.unreturned
	c.unreturned, c.recvWindow = 0, c.recvWindow+credit
	c.put(func() error { return c.framer.WriteWindowUpdate(0, uint32(credit)) })
	return true
}
