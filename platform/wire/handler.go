package wire

import (
	"fmt"
	"slices"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"
)

// Handler is told what comes in on a connection. Its methods are called one at
// a time for one connection, from the goroutine that reads it, but for Sent and
// Ended, which may come from others as well; no lock of this package is held. They
// must not wait. What they send they note in the batch.
type Handler interface {
	// Headers brings a request's headers (a new stream), a response's headers,
	// or trailers; end says that nothing more comes. The slice is valid only
	// during the call, its strings for good. Pseudo-headers come first, names
	// are valid and in lower case.
	Headers(b *Batch, s *Stream, fields []hpack.HeaderField, end bool)
	// Data brings a part of the stream, valid only during the call. Whoever
	// has passed it on calls Consume with its length, or the peer can send no
	// more.
	Data(b *Batch, s *Stream, p []byte, end bool)
	// Ended says that a stream has come to an end that neither side asked for
	// with an end of its own: nothing more comes on it, and nothing more is
	// sent. It is not called for a stream that this side has reset.
	Ended(b *Batch, s *Stream, why Ending)
	// Sent says that n bytes which SendData had not taken at once have gone
	// to the connection.
	Sent(b *Batch, s *Stream, n int)
	// Draining says that the peer takes no more streams on the connection.
	Draining(c *Conn)
	// Closed says that the connection is over; every stream has been told. On
	// a server's side, where connections are counted, its socket is closed too;
	// a client is told before the peer has had its time to read why.
	Closed(c *Conn, err error)
}

// EndKind says who ended a stream early, and so whether the other side may
// have acted on it.
type EndKind int

const (
	// Reset: the peer sent RST_STREAM.
	Reset EndKind = iota
	// Unprocessed: the peer has certainly not acted on it: it refused the
	// stream, said goodbye before it, or never got its headers.
	Unprocessed
	// Broken: the connection ended while the stream was open.
	Broken
)

func (k EndKind) String() string {
	switch k {
	case Unprocessed:
		return "unprocessed"
	case Broken:
		return "broken"
	case Reset:
	}
	return "reset"
}

// Ending is why a stream ended early.
type Ending struct {
	Kind EndKind
	// Code is the peer's, if it sent one.
	Code http2.ErrCode
	// Err is what happened to the connection, if that is why.
	Err error
}

func (e Ending) String() string {
	if e.Err != nil {
		return fmt.Sprintf("%v: %v", e.Kind, e.Err)
	}
	return fmt.Sprintf("%v: %v", e.Kind, e.Code)
}

// batchRoom is how many connections a batch holds without memory of its own,
// and among how many it looks for one that it has already. One noted twice
// costs next to nothing.
const batchRoom = 32

// Batch collects the connections that were written to, so that each is given
// to its socket once. It belongs to one goroutine. The zero Batch is ready. It
// holds no more than one read has frames.
type Batch struct {
	room    [batchRoom]*Conn
	conns   []*Conn
	overrun []*Stream // ended because too much waited on them
}

// Flush gives to the sockets what was sent. It calls Handler.Sent and
// Handler.Ended, and so must not be called under a lock that those take.
func (b *Batch) Flush() {
	for len(b.conns)+len(b.overrun) > 0 {
		if n := len(b.overrun) - 1; n >= 0 {
			s := b.overrun[n]
			b.overrun = b.overrun[:n]
			s.conn.config.Handler.Ended(b, s, Ending{Kind: Broken, Code: http2.ErrCodeEnhanceYourCalm})
			continue
		}
		last := len(b.conns) - 1
		c := b.conns[last]
		b.conns[last] = nil
		b.conns = b.conns[:last]
		c.flush(b)
	}
	b.conns, b.overrun = nil, nil // so that what was needed for many is given back
}

// add notes a connection. It never flushes, for it is called under locks.
func (b *Batch) add(c *Conn) {
	if slices.Contains(b.conns[max(0, len(b.conns)-batchRoom):], c) {
		return
	}
	if b.conns == nil {
		b.conns = b.room[:0]
	}
	b.conns = append(b.conns, c)
}
