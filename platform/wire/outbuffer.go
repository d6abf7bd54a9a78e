package wire

import (
	"encoding/binary"
	"sync"

	"golang.org/x/net/http2"
)

// outBuffer is what waits for the socket. It borrows its memory while there is
// anything in it, so that an idle connection holds none.
type outBuffer struct{ frames *[]byte }

// buffers are those that no connection needs now.
var buffers = sync.Pool{New: func() any { b := make([]byte, 0, keptBuffer); return &b }}

func (o *outBuffer) borrow() []byte {
	if o.frames == nil {
		o.frames = buffers.Get().(*[]byte)
		*o.frames = (*o.frames)[:0]
	}
	return *o.frames
}

// Write appends; it cannot fail.
func (o *outBuffer) Write(p []byte) (int, error) {
	*o.frames = append(o.borrow(), p...)
	return len(p), nil
}

// writeData appends a DATA frame (RFC 9113, 4.1, 6.1). The Framer would copy
// the data twice.
func (o *outBuffer) writeData(id uint32, p []byte, end bool) {
	var flags http2.Flags
	if end {
		flags = http2.FlagDataEndStream
	}
	n := len(p)
	b := append(o.borrow(), byte(n>>16), byte(n>>8), byte(n), byte(http2.FrameData), byte(flags))
	b = binary.BigEndian.AppendUint32(b, id)
	*o.frames = append(b, p...)
}

func (o *outBuffer) Len() int {
	if o.frames == nil {
		return 0
	}
	return len(*o.frames)
}

// take returns everything there is and begins anew.
func (o *outBuffer) take() *[]byte {
	p := o.frames
	o.frames = nil
	return p
}

// give returns a buffer that take has handed out and that is written.
func (o *outBuffer) give(p *[]byte) {
	if cap(*p) <= pooledBuffer {
		buffers.Put(p)
	}
}

func (o *outBuffer) discard() { o.frames = nil }
