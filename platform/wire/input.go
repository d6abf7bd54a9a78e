package wire

import (
	"errors"
	"os"
	"time"
)

// firstBuffer is what a connection reads into at first. Most never need more;
// one whose reads fill it gets twice as much, up to readBuffer.
const firstBuffer = 4 << 10

// input is what frames are read from: the socket through a buffer. Before it
// waits for more, everything that the last read has led to is flushed.
type input struct {
	conn  *Conn
	batch Batch
	buf   []byte
	r, w  int   // what is in buf and not yet read: buf[r:w]
	err   error // of the socket: nothing more comes
}

func newInput(c *Conn) *input { return &input{conn: c, buf: make([]byte, firstBuffer)} }

// Read gives the Framer what it asks for.
func (in *input) Read(p []byte) (int, error) {
	if in.r == in.w {
		if err := in.fill(); err != nil {
			return 0, err
		}
	}
	n := copy(p, in.buf[in.r:in.w])
	in.r += n
	return n, nil
}

// next returns the next n bytes where they are, valid until the next call.
func (in *input) next(n int) ([]byte, error) {
	if n > len(in.buf) {
		in.resize(n)
	}
	for in.w-in.r < n {
		if err := in.fill(); err != nil {
			return nil, err
		}
	}
	p := in.buf[in.r : in.r+n]
	in.r += n
	return p, nil
}

// fill reads what the socket has, and waits if it has nothing.
func (in *input) fill() error {
	in.batch.Flush()
	if in.r > 0 {
		in.w = copy(in.buf, in.buf[in.r:in.w])
		in.r = 0
	}
	n, err := in.conn.socket.nc.Read(in.buf[in.w:])
	for n == 0 && errors.Is(err, os.ErrDeadlineExceeded) && in.conn.sweep(&in.batch) {
		in.batch.Flush()
		n, err = in.conn.socket.nc.Read(in.buf[in.w:])
	}
	if n == 0 {
		in.err = err
		return err
	}
	in.w += n
	in.conn.readAt.Store(time.Now().UnixNano())
	if in.w == len(in.buf) && in.w < readBuffer {
		in.resize(2 * in.w)
	}
	return nil
}

// resize makes the buffer larger.
func (in *input) resize(n int) {
	larger := make([]byte, min(max(n, 2*len(in.buf)), readBuffer))
	in.w = copy(larger, in.buf[in.r:in.w])
	in.r, in.buf = 0, larger
}
