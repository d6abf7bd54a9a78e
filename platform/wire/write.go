package wire

import (
	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"
)

// put appends frames to what is to be written. c.mu is held. Writing to memory
// cannot fail; that there is too much of it can be.
func (c *Conn) put(write func() error) {
	if c.err != nil {
		return
	}
	before := c.out.Len()
	if err := write(); err != nil {
		c.fail(err)
		return
	}
	c.queued += uint64(c.out.Len() - before)
	if c.out.Len() > outMax {
		c.fail(&ProtocolError{Code: http2.ErrCodeEnhanceYourCalm, Why: "the peer does not read"})
	}
}

// putHeaders appends a header list. c.mu is held.
func (c *Conn) putHeaders(id uint32, fields []hpack.HeaderField, end bool) {
	if c.err != nil {
		return // the table of the encoder must not run ahead of the peer's
	}
	c.framesSent++
	block := c.repeat.of(fields)
	if block == nil {
		c.block.Reset()
		for _, f := range fields {
			_ = c.encoder.WriteField(f) // to memory
		}
		block = c.block.Bytes()
		c.repeat.keep(fields, block)
	}
	first := true
	for first || len(block) > 0 {
		n := min(len(block), c.peer.frameSize)
		part, last := block[:n], n == len(block)
		block = block[n:]
		if first {
			c.put(func() error {
				return c.framer.WriteHeaders(http2.HeadersFrameParam{StreamID: id, BlockFragment: part, EndStream: end, EndHeaders: last})
			})
		} else {
			c.put(func() error { return c.framer.WriteContinuation(id, last, part) })
		}
		first = false
	}
}

// putData appends as much as the windows allow and returns how much that was.
// The end goes with the last byte. c.mu is held.
func (c *Conn) putData(s *Stream, p []byte, end bool) int {
	sent := 0
	for {
		left := len(p) - sent
		n := int(max(0, min(c.sendWindow, s.sendWindow, int64(min(left, c.peer.frameSize)))))
		if left > 0 && (n == 0 || c.out.Len() >= outHigh) || left == 0 && !end {
			return sent
		}
		part, last := p[sent:sent+n], n == left
		c.put(func() error { c.out.writeData(s.id, part, end && last); return nil })
		c.framesSent++
		c.sendWindow -= int64(n)
		s.sendWindow -= int64(n)
		sent += n
		if last {
			s.ended(end)
			return sent
		}
	}
}

// flush writes what is there, unless somebody is at it, who then writes this
// too.
func (c *Conn) flush(b *Batch) {
	var sent []passed
	c.mu.Lock()
	for !c.flushing && c.out.Len() > 0 {
		p := c.out.take()
		c.offered += uint64(len(*p))
		c.flushing = true
		c.mu.Unlock()
		n, err := c.socket.tryWrite(*p)
		c.mu.Lock()
		if err != nil {
			c.fail(err)
			c.out.discard()
		} else if n < len(*p) && c.err == nil {
			c.work.Go(func() { c.writeRest(p, n) })
			break // flushing goes on
		}
		c.out.give(p)
		c.flushing = false
		if len(c.blocked) > 0 {
			sent = append(sent, c.unblock()...)
		}
	}
	c.goodbyeIfShut()
	c.mu.Unlock()
	c.tell(b, sent)
}

// writeRest writes what the socket did not take at once, and all that comes
// meanwhile.
func (c *Conn) writeRest(p *[]byte, written int) {
	var b Batch
	for {
		_, err := c.socket.write((*p)[written:])
		c.mu.Lock()
		if err != nil {
			c.fail(err)
			c.out.discard()
		}
		c.out.give(p)
		sent := c.unblock()
		done := c.out.Len() == 0
		if done {
			c.flushing = false
			c.goodbyeIfShut()
			if c.written != nil {
				close(c.written)
			}
		} else {
			p, written = c.out.take(), 0
			c.offered += uint64(len(*p))
		}
		c.mu.Unlock()
		c.tell(&b, sent)
		b.Flush()
		if done {
			return
		}
	}
}

// goodbyeIfShut closes a connection whose last byte is written.
func (c *Conn) goodbyeIfShut() {
	if c.shut && !c.flushing && c.out.Len() == 0 && c.err == nil {
		c.shut = false
		c.socket.closeAfter(lingerTimeout)
	}
}
