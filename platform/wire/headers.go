package wire

import (
	"strings"
	"time"

	"golang.org/x/net/http/httpguts"
	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"
)

// headerBlock is a header list while it comes in.
type headerBlock struct {
	id            uint32
	end           bool // of the stream
	bytes         int  // of the block, as on the wire
	continuations int

	fields  []hpack.HeaderField
	size    int    // as RFC 9113, 6.5.2 counts
	broken  string // what is wrong with it; the rest is decoded for the table's sake
	regular bool   // a field that is not a pseudo-header has come
	pseudo  pseudoSet
}

// pseudoSet is which pseudo-headers have come.
type pseudoSet uint8

const (
	pseudoMethod pseudoSet = 1 << iota
	pseudoScheme
	pseudoPath
	pseudoAuthority
	pseudoStatus

	requestPseudo = pseudoMethod | pseudoScheme | pseudoPath
)

func pseudoOf(name string) pseudoSet {
	switch name {
	case ":method":
		return pseudoMethod
	case ":scheme":
		return pseudoScheme
	case ":path":
		return pseudoPath
	case ":authority":
		return pseudoAuthority
	case ":status":
		return pseudoStatus
	}
	return 0
}

func (h *headerBlock) begin(id uint32, end bool) {
	*h = headerBlock{id: id, end: end, fields: h.fields[:0]}
}

// emit takes a field from the decoder. Of a list that is broken or too long
// the rest is not kept.
func (h *headerBlock) emit(f hpack.HeaderField) {
	h.size += int(f.Size())
	if h.broken != "" || h.size > MaxHeaderBytes {
		return
	}
	h.broken = h.check(f)
	h.fields = append(h.fields, f)
}

// check returns what is wrong with a field, "" if nothing (RFC 9113, 8.2, 8.3).
func (h *headerBlock) check(f hpack.HeaderField) string {
	if strings.HasPrefix(f.Name, ":") {
		p := pseudoOf(f.Name)
		switch {
		case p == 0:
			return "an unknown pseudo-header"
		case h.regular:
			return "a pseudo-header behind others"
		case h.pseudo&p != 0:
			return "a pseudo-header twice"
		case p == pseudoPath && f.Value == "":
			return "an empty path"
		}
		h.pseudo |= p
	} else {
		h.regular = true
		if !validName(f.Name) {
			return "an invalid header name"
		}
		switch f.Name {
		case "connection", "proxy-connection", "keep-alive", "transfer-encoding", "upgrade":
			return "a header of HTTP/1.1's connections"
		case "te":
			if f.Value != "trailers" {
				return "te is not trailers"
			}
		}
	}
	if !httpguts.ValidHeaderFieldValue(f.Value) {
		return "an invalid header value"
	}
	return ""
}

// validName says whether a header's name is a token without capitals.
func validName(name string) bool {
	for i := range len(name) {
		if c := name[i]; c >= 'A' && c <= 'Z' || !httpguts.IsTokenRune(rune(c)) {
			return false
		}
	}
	return name != ""
}

func (c *Conn) headers(f *http2.HeadersFrame) error {
	c.header.begin(f.Header().StreamID, f.StreamEnded())
	if f.HasPriority() && f.Priority.StreamDep == f.Header().StreamID {
		c.header.broken = "a stream that depends on itself"
	}
	return c.fragment(f.HeaderBlockFragment(), f.HeadersEnded())
}

func (c *Conn) continuation(f *http2.ContinuationFrame) error {
	if c.header.continuations++; c.header.continuations > maxContinuations {
		return c.failWith(http2.ErrCodeEnhanceYourCalm, "a header block in more than %d frames", maxContinuations)
	}
	return c.fragment(f.HeaderBlockFragment(), f.HeadersEnded())
}

// blockMax is the largest header block that is read. The streams of many
// clients share the connection to a server, and for one answer with too much
// only its own is reset.
func (c *Conn) blockMax() int {
	if c.server {
		return MaxHeaderBytes
	}
	return discardMax
}

// fragment decodes a part of a header block.
func (c *Conn) fragment(p []byte, last bool) error {
	if c.header.bytes += len(p); c.header.bytes > c.blockMax() {
		return c.failWith(http2.ErrCodeEnhanceYourCalm, "a header block of more than %d bytes", c.blockMax())
	}
	if c.header.bytes > MaxHeaderBytes {
		c.header.size = max(c.header.size, MaxHeaderBytes+1) // whatever it decodes to
	}
	if _, err := c.decoder.Write(p); err != nil {
		return c.failWith(http2.ErrCodeCompression, "header block: %v", err)
	}
	if !last {
		return nil
	}
	if err := c.decoder.Close(); err != nil {
		return c.failWith(http2.ErrCodeCompression, "header block: %v", err)
	}
	return c.headerList()
}

// headerList takes a whole header list: of a new stream or of one that is
// open.
func (c *Conn) headerList() error {
	h := &c.header
	c.mu.Lock()
	s := c.streams[h.id]
	fresh := s == nil && c.server && h.id%2 == 1 && h.id > c.nextID
	ended := s != nil && s.remoteEnded
	c.mu.Unlock()
	switch {
	case fresh:
		return c.request()
	case s == nil && c.server:
		if h.id%2 == 0 {
			return c.failWith(http2.ErrCodeProtocol, "a client opened stream %d", h.id)
		}
		return c.strayHeaders()
	case s == nil:
		return c.strayFrame(h.id)
	case ended:
		return streamError(h.id, http2.ErrCodeStreamClosed)
	}
	return c.moreHeaders(s)
}

// strayHeaders is for headers on a stream that a client had already closed.
func (c *Conn) strayHeaders() error {
	c.mu.Lock()
	expected := c.wasReset(c.header.id)
	c.mu.Unlock()
	if expected {
		return c.wasted()
	}
	return c.failWith(http2.ErrCodeStreamClosed, "headers on stream %d, which is closed", c.header.id)
}

// request opens a stream for a client.
func (c *Conn) request() error {
	h := &c.header
	size := min(h.size, MaxHeaderBytes) // no more is kept
	refusing := c.floods.refuses(time.Unix(0, c.readAt.Load()))
	c.mu.Lock()
	c.nextID = h.id
	switch {
	case refusing, c.saidGoodbye, len(c.streams) >= c.config.MaxStreams, c.headersHeld+size > headersMax:
		c.mu.Unlock()
		return streamError(h.id, http2.ErrCodeRefusedStream)
	case h.broken != "", h.pseudo&pseudoStatus != 0, h.pseudo&requestPseudo != requestPseudo:
		c.mu.Unlock()
		return streamError(h.id, http2.ErrCodeProtocol)
	}
	c.floods.useful++
	c.floods.opened++
	s := c.newStream(h.id)
	s.opened = time.Unix(0, c.readAt.Load())
	s.headers = size
	c.headersHeld += size
	s.remoteEnded = h.end
	if h.size > MaxHeaderBytes {
		s.sendHeaders(tooLarge, true)
		s.reset(http2.ErrCodeNo)
		c.mu.Unlock()
		c.input.batch.add(c)
		return nil
	}
	c.mu.Unlock()
	c.config.Handler.Headers(&c.input.batch, s, h.fields, h.end)
	if h.end {
		c.retire(s)
	}
	return nil
}

// tooLarge answers a request whose headers are larger than MaxHeaderBytes (RFC
// 6585; gRPC's mapping of HTTP statuses has no better one).
var tooLarge = []hpack.HeaderField{{Name: ":status", Value: "431"}}

// moreHeaders are the trailers of a request, or a response's headers or
// trailers.
func (c *Conn) moreHeaders(s *Stream) error {
	h := &c.header
	c.floods.useful++
	response := !c.server && !s.answered // which nobody else writes, on a client
	switch {
	case h.size > MaxHeaderBytes:
		return streamError(h.id, http2.ErrCodeEnhanceYourCalm)
	case h.broken != "",
		response && h.pseudo != pseudoStatus,
		!response && (h.pseudo != 0 || !h.end):
		return streamError(h.id, http2.ErrCodeProtocol)
	}
	if response && len(h.fields[0].Value) == 3 && h.fields[0].Value[0] == '1' {
		if h.end {
			return streamError(h.id, http2.ErrCodeProtocol)
		}
		return c.wasted() // an interim response says nothing to gRPC
	}
	c.mu.Lock()
	if s.gone {
		c.mu.Unlock()
		return nil // this side has given it up meanwhile
	}
	s.answered = s.answered || response
	s.remoteEnded = h.end
	retired := c.retireEarly(s)
	c.mu.Unlock()
	c.config.Handler.Headers(&c.input.batch, s, h.fields, h.end)
	if h.end && !retired {
		c.retire(s)
	}
	return nil
}
