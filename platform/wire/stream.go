package wire

import (
	"slices"
	"time"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"
)

// Stream is one request and its response. Its methods may be called from any
// goroutine, except from under a lock that the Handler takes too and that is
// held while a Conn is closed. A stream that has ended takes everything and
// does nothing.
type Stream struct {
	conn *Conn
	id   uint32

	// User is the owner's. A client names it when it opens the stream, a
	// server sets it in Handler.Headers.
	User any

	// Of the reading goroutine.
	opened time.Time // server

	// Guarded by conn.mu.
	sendWindow int64
	recvWindow int64
	unreturned int64 // consumed, and no credit given back yet
	held       int64 // received, and not consumed
	headersEnd uint64
	waiting    *waiting // what the windows do not let through; nil: nothing
	queued     bool     // in conn.blocked
	headers    int      // server: the size of the request's header list

	answered    bool // response headers have gone (server) or come (client)
	localEnded  bool
	remoteEnded bool
	gone        bool // out of the table
}

// waiting is the rest of what is to be sent. Its data is no more than the
// windows of whoever is read from let in.
type waiting struct {
	data     []byte
	trailers []hpack.HeaderField
	end      bool
}

// passed is how much of a stream's waiting data went on.
type passed struct {
	stream *Stream
	bytes  int
}

// newStream puts a stream into the table. c.mu is held.
func (c *Conn) newStream(id uint32) *Stream {
	s := &Stream{conn: c, id: id, sendWindow: c.peer.streamWindow, recvWindow: StreamWindow}
	c.streams[id] = s
	c.active.Add(1)
	return s
}

// Conn returns the connection that the stream is on.
func (s *Stream) Conn() *Conn { return s.conn }

// Open sends a request's headers, and with end the end of it, on a new stream
// for user. It fails if the connection takes no more streams.
func (c *Conn) Open(b *Batch, user any, fields []hpack.HeaderField, end bool) (*Stream, error) {
	c.mu.Lock()
	if err := c.usable(); err != nil {
		c.mu.Unlock()
		return nil, err
	}
	s := c.newStream(c.nextID)
	c.nextID += 2
	s.User = user
	s.sendHeaders(fields, end)
	s.headersEnd = c.queued
	c.mu.Unlock()
	b.add(c)
	return s, nil
}

// SendHeaders sends a response's headers, or trailers, which come with the
// end.
func (s *Stream) SendHeaders(b *Batch, fields []hpack.HeaderField, end bool) {
	s.conn.mu.Lock()
	s.sendHeaders(fields, end)
	s.conn.mu.Unlock()
	b.add(s.conn)
}

func (s *Stream) sendHeaders(fields []hpack.HeaderField, end bool) {
	switch {
	case s.gone || s.localEnded:
	case s.waiting != nil:
		s.waiting.trailers = slices.Clone(fields)
		s.waiting.end = end
	default:
		s.answered = s.answered || s.conn.server
		s.conn.putHeaders(s.id, fields, end)
		s.ended(end)
	}
}

// SendData sends a part of the stream. It returns how much of it has gone to
// the connection, or to nowhere, because the stream is over; the rest is kept
// until the peer takes more, and reported with Handler.Sent. A
// server's stream on which too much waits already ends, and Handler.Ended says
// so at the next Flush.
func (s *Stream) SendData(b *Batch, p []byte, end bool) int {
	c := s.conn
	c.mu.Lock()
	defer c.mu.Unlock()
	if s.gone || s.localEnded {
		return len(p)
	}
	sent := 0
	if s.waiting == nil {
		sent = c.putData(s, p, end)
		if sent == len(p) && (s.localEnded || !end) {
			b.add(c)
			return sent
		}
	}
	b.add(c)
	if !s.wait(p[sent:], end) {
		s.reset(http2.ErrCodeEnhanceYourCalm)
		b.overrun = append(b.overrun, s)
		return len(p)
	}
	return sent
}

// Reset ends the stream for both sides at once.
func (s *Stream) Reset(b *Batch, code http2.ErrCode) {
	s.conn.mu.Lock()
	s.reset(code)
	s.conn.framesSent++ // what the peer had sent on it already is no flood
	s.conn.mu.Unlock()
	b.add(s.conn)
}

func (s *Stream) reset(code http2.ErrCode) {
	if s.gone {
		return
	}
	c := s.conn
	c.resets.add(s.id)
	c.put(func() error { return c.framer.WriteRSTStream(s.id, code) })
	s.drop()
	c.finishIdle()
}

// Consume gives the peer credit for n bytes more, or for all that was received
// if that is less.
func (s *Stream) Consume(b *Batch, n int) {
	c := s.conn
	c.mu.Lock()
	size := min(int64(n), s.held)
	s.held -= size
	c.held -= size
	s.unreturned += size
	if !s.gone && !s.remoteEnded && s.unreturned >= StreamWindow/2 {
		credit := s.unreturned
		s.unreturned, s.recvWindow = 0, s.recvWindow+credit
		c.put(func() error { return c.framer.WriteWindowUpdate(s.id, uint32(credit)) })
		b.add(c)
	}
	if c.returnCredit() {
		b.add(c)
	}
	c.mu.Unlock()
}

// ended notes that this side has said everything. A server that has answered
// needs nothing more from the client and says so (RFC 9113, 8.1). c.mu is held.
func (s *Stream) ended(end bool) {
	if !end {
		return
	}
	s.localEnded = true
	if s.conn.server && !s.remoteEnded {
		s.reset(http2.ErrCodeNo)
		return
	}
	s.finish()
}

// finish takes a stream out of the table that both sides have ended. c.mu is
// held.
func (s *Stream) finish() {
	if s.localEnded && s.remoteEnded && !s.gone {
		s.leave()
		if s.conn.server {
			s.release() // a request that was answered needs no more of itself
		}
		s.conn.finishIdle()
	}
}

// leave takes a stream out of the table. c.mu is held.
func (s *Stream) leave() {
	s.gone = true
	s.conn.headersHeld -= s.headers
	delete(s.conn.streams, s.id)
	s.conn.active.Add(-1)
}

// release gives up what was received on a stream and not consumed: nobody
// will. c.mu is held.
func (s *Stream) release() {
	s.conn.held -= s.held
	s.held = 0
	s.conn.returnCredit()
}

// drop ends a stream at once, with all that is kept of it. c.mu is held.
func (s *Stream) drop() {
	if s.gone {
		return
	}
	s.localEnded, s.remoteEnded = true, true
	s.stopWaiting()
	s.dequeue()
	s.leave()
	s.release()
}

// ringSize is how many resets a connection remembers: the peer may have sent
// more on those streams before it has seen the reset.
const ringSize = 64

// resetRing remembers the streams that this side has reset last.
type resetRing struct {
	ids  [ringSize]uint32
	next int
}

func (r *resetRing) add(id uint32) {
	r.ids[r.next] = id
	r.next = (r.next + 1) % ringSize
}

// wasReset says whether this side has reset a stream not long ago. c.mu is
// held.
func (c *Conn) wasReset(id uint32) bool { return slices.Contains(c.resets.ids[:], id) }
