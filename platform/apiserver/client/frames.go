package client

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"slices"
)

const (
	// maxEventBytes bounds one event of a watch; etcd takes no object larger
	// than 1.5 MiB unless told to.
	maxEventBytes = 8 << 20
	// frameBytes is what is read at once: a few events.
	frameBytes = 8 << 10
	// keptFrameBytes is the largest buffer that outlives the event it had to
	// grow for.
	keptFrameBytes = 64 << 10
)

var (
	errFrameTooLarge = fmt.Errorf("an event is larger than %d bytes", maxEventBytes)
	errNoFrame       = errors.New("what is sent is no JSON object")
)

// frames cuts a stream into the JSON objects that it is made of. An API server
// may send several in a packet and one in several, with or without line breaks
// between them. Whether what lies between the braces is JSON is not looked at.
type frames struct {
	stream   io.Reader
	buffer   []byte // what has been read
	from     int    // the object begins here
	at       int    // what is before has been looked at
	depth    int    // of braces open at at
	inString bool
	escaped  bool
}

// next returns the next object, which is valid until the call after. It
// returns io.EOF only between objects.
func (f *frames) next() ([]byte, error) {
	if cap(f.buffer) > keptFrameBytes && len(f.buffer)-f.from <= keptFrameBytes/2 {
		f.buffer = slices.Clone(f.buffer[f.from:])
		f.at -= f.from
		f.from = 0
	}
	for {
		if end, err := f.scan(); err != nil {
			return nil, err
		} else if end {
			object := f.buffer[f.from:f.at]
			f.from = f.at
			return object, nil
		}
		if err := f.read(); err != nil {
			return nil, err
		}
	}
}

// scan looks for the end of the object in what has been read.
func (f *frames) scan() (end bool, err error) {
	for f.at < len(f.buffer) {
		if f.inString {
			f.skipString()
			continue
		}
		c := f.buffer[f.at]
		f.at++
		switch c {
		case '"':
			f.inString = true
		case '{':
			f.depth++
			continue
		case '}':
			if f.depth == 0 {
				return false, errNoFrame
			}
			if f.depth--; f.depth == 0 {
				return true, nil
			}
		case '\n', '\r', '\t', ' ':
			if f.depth == 0 {
				f.from = f.at
			}
			continue
		}
		if f.depth == 0 {
			return false, errNoFrame
		}
	}
	return false, nil
}

// skipString moves past the end of a string, or to the end of what has been
// read. Most of an object is strings.
func (f *frames) skipString() {
	if f.escaped {
		f.escaped = false
		f.at++
		return
	}
	rest := f.buffer[f.at:]
	quote := bytes.IndexByte(rest, '"')
	if quote < 0 {
		quote = len(rest)
	}
	if backslash := bytes.IndexByte(rest[:quote], '\\'); backslash >= 0 {
		f.escaped = true
		f.at += backslash + 1
		return
	}
	f.at += quote
	if quote < len(rest) {
		f.inString = false
		f.at++
	}
}

// read gets more of the stream.
func (f *frames) read() error {
	if f.from > 0 { // make room at the end
		f.buffer = append(f.buffer[:0], f.buffer[f.from:]...)
		f.at -= f.from
		f.from = 0
	}
	if len(f.buffer) >= maxEventBytes {
		return errFrameTooLarge
	}
	f.buffer = slices.Grow(f.buffer, frameBytes)
	n, err := f.stream.Read(f.buffer[len(f.buffer):min(cap(f.buffer), maxEventBytes)])
	f.buffer = f.buffer[:len(f.buffer)+n]
	switch {
	case n > 0:
		return nil // an error will come again
	case errors.Is(err, io.EOF) && len(f.buffer) > 0:
		return io.ErrUnexpectedEOF
	}
	return err
}
