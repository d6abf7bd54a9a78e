package wire

import (
	"errors"
	"fmt"

	"golang.org/x/net/http2"
)

// Close ends the connection at once: streams under way are lost. It returns
// when its goroutines have ended, and so must not be called by the handler.
func (c *Conn) Close() {
	c.Abort(ErrClosed)
	c.work.Wait()
}

// Abort ends the connection at once and does not wait.
func (c *Conn) Abort(why error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.fail(why)
}

// fail notes the first reason for the end and closes the socket, which ends
// the goroutine that reads. c.mu is held.
func (c *Conn) fail(err error) {
	c.over(err)
	c.socket.close()
}

// over notes the first reason for the end. What a client has not offered to the
// socket by then never goes: that is how it knows which requests the server
// cannot have seen. c.mu is held.
func (c *Conn) over(err error) {
	if c.err != nil {
		return
	}
	c.err = err
	if c.server || c.out.Len() == 0 {
		return
	}
	c.out.discard()
	var told *ProtocolError
	if errors.As(err, &told) {
		_ = c.framer.WriteGoAway(0, told.Code, []byte(told.Why)) // to memory; it may have been discarded
	}
}

// failWith ends the connection because of what the peer did, and tells it so.
func (c *Conn) failWith(code http2.ErrCode, format string, args ...any) error {
	why := fmt.Sprintf(format, args...)
	c.mu.Lock()
	defer c.mu.Unlock()
	last := uint32(0)
	if c.server {
		last = c.nextID
	}
	c.put(func() error { return c.framer.WriteGoAway(last, code, []byte(why)) })
	return &ProtocolError{Code: code, Why: why}
}

// end tells everyone that the connection is over. It is the last thing that
// the reading goroutine does.
func (c *Conn) end(err error) {
	b := &c.input.batch // with what the last read has led to
	told := errors.As(err, new(*ProtocolError))
	if told || c.server {
		// A client that only found the connection over sends nothing more, so
		// that requests which have not gone are known not to have.
		c.flush(b)
	}
	c.mu.Lock()
	c.over(err)
	if !told {
		c.socket.close()
	}
	err = c.err
	var written chan struct{}
	if c.flushing {
		written = make(chan struct{})
		c.written = written
	}
	streams := c.streams
	c.streams, c.blocked = nil, nil
	c.active.Store(0)
	unsent := map[*Stream]bool{}
	for _, s := range streams {
		s.gone = true
		s.repay()
		unsent[s] = !c.server && s.headersEnd > c.offered
	}
	if !c.peer.seen {
		close(c.greeted)
	}
	c.mu.Unlock()
	for _, s := range streams {
		why := Ending{Kind: Broken, Err: err}
		if unsent[s] {
			why.Kind = Unprocessed
		}
		c.config.Handler.Ended(b, s, why)
	}
	if !c.server {
		c.config.Handler.Closed(c, err) // the owner needs another
	}
	b.Flush()
	if told {
		c.socket.linger(refusalTimeout, written)
	}
	if c.server {
		c.config.Handler.Closed(c, err)
	}
}
