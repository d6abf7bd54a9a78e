package fault

import (
	"errors"
	"io"
	"net"
	"sync"
	"sync/atomic"
	"time"
)

// Bounds of what one direction of a connection holds: when the queue is full
// the relay stops reading, and TCP slows the sender down.
const (
	chunkBytesMax  = 32 << 10
	chunksQueueMax = 64
)

// connection is one connection through a relay: two sockets and two ways.
type connection struct {
	number         uint64
	caller, target net.Conn
	dark           atomic.Pointer[blackhole] // set once; nil: bytes pass

	once sync.Once
	done chan struct{} // closed with the connection
}

// chunk is what was read at once, and when it may go on.
type chunk struct {
	bytes []byte
	due   time.Time
}

// carry moves bytes one way until the source ends or the connection does. It
// reads ahead of writing, so that bytes held back by latency do not hold back
// those behind them for longer than their own share.
func (c *connection) carry(from, to net.Conn, hold *holdback) {
	queue := make(chan chunk, chunksQueueMax)
	var writer sync.WaitGroup
	writer.Go(func() { c.deliver(to, queue) })
	err := c.collect(from, queue, hold)
	close(queue)
	if err != nil && !errors.Is(err, io.EOF) && c.dark.Load() == nil {
		c.reset() // One end was reset: so is the other.
	}
	writer.Wait()
	c.finish(from, to)
}

// collect reads until the source ends.
func (c *connection) collect(from net.Conn, queue chan<- chunk, hold *holdback) error {
	buffer := make([]byte, chunkBytesMax)
	for {
		n, err := from.Read(buffer)
		if n > 0 {
			if b := c.dark.Load(); b != nil {
				b.swallow(c, n)
			} else {
				select {
				case queue <- chunk{bytes: append([]byte(nil), buffer[:n]...), due: hold.until(time.Now())}:
				case <-c.done:
					return net.ErrClosed
				}
			}
		}
		if err != nil {
			return err
		}
	}
}

// deliver writes what was collected, each when it is due.
func (c *connection) deliver(to net.Conn, queue <-chan chunk) {
	timer := time.NewTimer(0)
	defer timer.Stop()
	for next := range queue {
		if wait := time.Until(next.due); wait > 0 {
			timer.Reset(wait)
			select {
			case <-timer.C:
			case <-c.done:
				continue
			}
		}
		if b := c.dark.Load(); b != nil {
			b.swallow(c, len(next.bytes))
			continue
		}
		if _, err := to.Write(next.bytes); err != nil {
			// The reader of the other way sees what happened to the socket.
			continue
		}
	}
}

// finish passes on the end of one way. A dark connection passes on nothing:
// whoever closed its end is let go, and the other end hears nothing of it.
func (c *connection) finish(from, to net.Conn) {
	if c.dark.Load() != nil {
		from.Close()
		return
	}
	if half, ok := to.(interface{ CloseWrite() error }); ok {
		_ = half.CloseWrite() // Fails only if the socket is gone already.
	}
}

// close ends the connection in an orderly way.
func (c *connection) close() {
	c.once.Do(func() {
		close(c.done)
		c.caller.Close()
		c.target.Close()
	})
}

// reset ends the connection with an RST at both ends.
func (c *connection) reset() {
	c.once.Do(func() {
		close(c.done)
		abort(c.caller)
		abort(c.target)
	})
}

// established says whether the system sees both sockets as connected.
func (c *connection) established() bool {
	return socketEstablished(c.caller) && socketEstablished(c.target)
}

// abort closes a socket with an RST.
func abort(conn net.Conn) {
	if tcp, ok := conn.(*net.TCPConn); ok {
		_ = tcp.SetLinger(0) // Fails only if the socket is gone already.
	}
	conn.Close()
}
