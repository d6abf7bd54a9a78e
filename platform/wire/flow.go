package wire

import (
	"slices"
	"time"

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

// wait keeps what the windows do not let through. c.mu is held.
func (s *Stream) wait(p []byte, end bool) {
	c := s.conn
	if s.waiting == nil {
		s.waiting = &waiting{fresh: true}
		s.enqueue()
	}
	s.waiting.data = append(s.waiting.data, p...)
	s.waiting.end = s.waiting.end || end
	c.addWaits(len(p))
}

// addWaits counts what waits. Once it is too much, streams are watched whether
// they go on. c.mu is held.
func (c *Conn) addWaits(n int) {
	if c.waits.Add(int64(n)) > waitMax && c.server && !c.sweeping && c.err == nil {
		c.sweeping = true
		_ = c.socket.nc.SetReadDeadline(time.Now().Add(writeStall)) // one that fails is closed
	}
}

// sweep ends the streams of a client that have had something waiting for
// writeStall, and passed nothing on, while waitMax was exceeded. A client that
// takes something on any stream is not blamed for one that waits its turn. The
// reading goroutine calls it when a read has taken too long; it reports whether
// that was what it was about.
func (c *Conn) sweep(b *Batch) bool {
	c.mu.Lock()
	if !c.sweeping {
		c.mu.Unlock()
		return false
	}
	deadline, stuck := time.Time{}, []*Stream(nil)
	if c.sweeping = c.waits.Load() > waitMax; c.sweeping {
		deadline, stuck = time.Now().Add(writeStall), c.stuck()
	}
	for _, s := range stuck {
		s.reset(http2.ErrCodeEnhanceYourCalm)
	}
	b.add(c)
	err := c.socket.nc.SetReadDeadline(deadline)
	c.mu.Unlock()
	for _, s := range stuck {
		c.config.Handler.Ended(b, s, Ending{Kind: Broken, Code: http2.ErrCodeEnhanceYourCalm})
	}
	return err == nil
}

// stuck returns the streams that have passed nothing on since the last sweep.
// c.mu is held.
func (c *Conn) stuck() []*Stream {
	var stuck, inTurn []*Stream
	moved := false
	for _, s := range c.streams {
		switch w := s.waiting; {
		case w == nil:
		case w.fresh || w.moved:
			moved = moved || w.moved
			w.fresh, w.moved = false, false
		case s.queued:
			inTurn = append(inTurn, s)
		default:
			stuck = append(stuck, s)
		}
	}
	if !moved {
		stuck = append(stuck, inTurn...)
	}
	return stuck
}

// stopWaiting forgets what waits. c.mu is held.
func (s *Stream) stopWaiting() {
	if s.waiting != nil {
		s.conn.waits.Add(-int64(len(s.waiting.data)))
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
	w.moved = w.moved || n > 0
	if s.waiting != nil { // and not over by now
		s.conn.waits.Add(-int64(n))
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

// returnCredit refills the window of a stream, which may grow if to, where what
// comes goes on to, has room. It reports whether it has written anything. c.mu
// is held.
func (s *Stream) returnCredit(to *Stream) bool {
	if s.gone || s.remoteEnded || s.unreturned < s.window/2 {
		return false
	}
	more := min(s.window, StreamWindow-s.window)
	if more > 0 && to != nil && !s.borrow(to.conn, more) {
		more = 0
	}
	s.credit(more)
	return true
}

// credit refills the window of a stream, and makes it larger or smaller. c.mu
// is held.
func (s *Stream) credit(more int64) {
	credit := s.unreturned + more
	s.window, s.unreturned, s.recvWindow = s.window+more, 0, s.recvWindow+credit
	s.conn.put(func() error { return s.conn.framer.WriteWindowUpdate(s.id, uint32(credit)) })
}

// borrow says whether the window of a stream whose data goes on to a client may
// grow by n, and keeps account of it. c.mu is held, of the stream's connection
// only.
func (s *Stream) borrow(to *Conn, n int64) bool {
	if !to.server {
		return true
	}
	if to.waits.Load() > waitMax || s.lender != nil && s.lender != to {
		return false
	}
	if to.lent.Add(n) > lentMax {
		to.lent.Add(-n)
		return false
	}
	s.lender, s.lent = to, s.lent+n
	return true
}

// repay ends the account of borrow. c.mu is held.
func (s *Stream) repay() {
	if s.lender != nil {
		s.lender.lent.Add(-s.lent)
		s.lender, s.lent = nil, 0
	}
}
