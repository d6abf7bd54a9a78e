package wire

import (
	"slices"

	"golang.org/x/net/http2"
)

// enqueue gives a stream that has something to send its turn, if its own
// window lets it. c.mu is held.
func (s *Stream) enqueue() {
	if s.waiting != nil && s.sendWindow > 0 && !s.queued {
		s.queued = true
		s.conn.blocked = append(s.conn.blocked, s)
	}
}

// dequeue takes a stream's turn away. c.mu is held.
func (s *Stream) dequeue() {
	if s.queued {
		s.queued = false
		i := slices.Index(s.conn.blocked, s)
		s.conn.blocked = slices.Delete(s.conn.blocked, i, i+1)
	}
}

// wait keeps what the windows do not let through. It reports false when that
// is more than the stream's share of waitMax. c.mu is held.
func (s *Stream) wait(p []byte, end bool) bool {
	c := s.conn
	if s.waiting == nil {
		s.waiting = &waiting{}
		c.waiters++
		s.enqueue()
	}
	if c.server && c.waits+len(p) > waitMax && len(s.waiting.data)+len(p) > waitMax/c.waiters {
		return false
	}
	s.waiting.data = append(s.waiting.data, p...)
	s.waiting.end = s.waiting.end || end
	c.waits += len(p)
	return true
}

// stopWaiting forgets what waits. c.mu is held.
func (s *Stream) stopWaiting() {
	if s.waiting != nil {
		s.conn.waits -= len(s.waiting.data)
		s.conn.waiters--
		s.waiting = nil
	}
}

// unblock sends what has been waiting for windows or for the socket, a frame
// of each stream in turn. Who was served last is the last to be served again,
// however little there is each time. It returns what to tell the handler. c.mu
// is held.
func (c *Conn) unblock() []passed {
	var sent []passed
	served := 0
	for c.err == nil && served < len(c.blocked) && c.sendWindow > 0 && c.out.Len() < outHigh {
		s := c.blocked[served]
		served++
		s.queued = false
		sent = append(sent, passed{s, s.sendWaiting()})
		s.enqueue()
	}
	left := copy(c.blocked, c.blocked[served:])
	clear(c.blocked[left:])
	c.blocked = c.blocked[:left]
	return sent
}

// sendWaiting sends a frame of what a stream has waiting, and what comes
// behind it if that was all. It returns how much it was. c.mu is held.
func (s *Stream) sendWaiting() int {
	w, most := s.waiting, s.conn.peer.frameSize
	n := s.conn.putData(s, w.data[:min(len(w.data), most)], w.end && w.trailers == nil && len(w.data) <= most)
	w.data = w.data[n:]
	if s.waiting != nil { // and not over by now
		s.conn.waits -= n
	}
	if len(w.data) == 0 {
		s.stopWaiting()
		if w.trailers != nil {
			s.sendHeaders(w.trailers, w.end)
		}
	}
	return n
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
	var s *Stream
	if id != 0 {
		if s = c.streams[id]; s == nil {
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
	if s != nil {
		s.enqueue()
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
	if c.unreturned < ConnWindow/4 || c.server && c.held > heldMax {
		return false
	}
	credit := c.unreturned
	c.unreturned, c.recvWindow = 0, c.recvWindow+credit
	c.put(func() error { return c.framer.WriteWindowUpdate(0, uint32(credit)) })
	return true
}
