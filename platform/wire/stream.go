package wire

import (
	"math"
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
	window     int64 // what recvWindow is when all is consumed
	unreturned int64 // consumed, and no credit given back yet
	held       int64 // received, and not consumed
	lender     *Conn // where what it passes on goes; nil: the window has not grown for any
	lent       int64 // how much it has grown on that account
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
	fresh    bool // it has not waited at a sweep yet
	moved    bool // some has gone since the last sweep
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
	s := &Stream{conn: c, id: id, sendWindow: c.peer.streamWindow, recvWindow: c.first, window: c.first}
	c.streams[id] = s
	c.active.Add(1)
	return s
}

// Conn returns the connection that the stream is on.
func (s *Stream) Conn() *Conn { return s.conn }

// Open sends a request's headers, and with end the end of it, on a new stream
// for user. It fails if the connection takes no more streams, or not this
// header list, and then has sent nothing.
func (c *Conn) Open(b *Batch, user any, fields []hpack.HeaderField, end bool) (*Stream, error) {
	c.mu.Lock()
	if err := c.usable(); err != nil {
		c.mu.Unlock()
		return nil, err
	}
	if c.tooLarge(fields) {
		c.mu.Unlock()
		return nil, ErrHeadersTooLarge
	}
	s := c.newStream(c.nextID)
	if c.nextID += 2; c.nextID > maxStreamID {
		c.goingAway, c.closeIdle = true, true // it was the last that there is
	}
	s.User = user
	s.sendHeaders(fields, end)
	s.headersEnd = c.queued
	c.mu.Unlock()
	b.add(c)
	return s, nil
}

// SendHeaders sends a response's headers, or trailers, which come with the
// end. If the peer does not take as many the stream is reset, and Handler.Ended
// says so at the next Flush.
func (s *Stream) SendHeaders(b *Batch, fields []hpack.HeaderField, end bool) {
	c := s.conn
	c.mu.Lock()
	if !s.gone && !s.localEnded && c.tooLarge(fields) {
		s.reset(http2.ErrCodeEnhanceYourCalm)
		b.overrun = append(b.overrun, s)
	} else {
		s.sendHeaders(fields, end)
	}
	c.mu.Unlock()
	b.add(c)
}

// tooLarge says whether a header list is larger than the peer takes. c.mu is
// held.
func (c *Conn) tooLarge(fields []hpack.HeaderField) bool {
	if c.peer.headerList == math.MaxInt64 {
		return false
	}
	size := int64(0)
	for _, f := range fields {
		size += int64(f.Size())
	}
	return size > c.peer.headerList
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
// until the peer takes more, and reported with Handler.Sent. How much that can
// become is for the caller to bound: by what it consumes.
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
	s.wait(p[sent:], end)
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
// if that is less. The stream's window may grow.
func (s *Stream) Consume(b *Batch, n int) { s.ConsumeInto(b, n, nil) }

// ConsumeInto is Consume for bytes that have gone on to another stream. The
// window grows only as long as that one's connection has room for it.
func (s *Stream) ConsumeInto(b *Batch, n int, to *Stream) {
	c := s.conn
	c.mu.Lock()
	size := min(int64(n), s.held)
	s.held -= size
	c.held -= size
	s.unreturned += size
	given, returned, resized := s.returnCredit(to), c.returnCredit(), c.resize()
	if given || returned || resized {
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
	s.repay()
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
