package process

import "bytes"

// lineMax bounds a line: what is longer is passed on in pieces.
const lineMax = 64 << 10

// Lines passes on what is written to it line by line, without the line's end. As
// a command's output it is called from one goroutine, up to the end of the
// process; a last line without an end is not passed on.
type Lines struct {
	Each func(line string)

	rest []byte
}

// Write implements io.Writer. It never fails.
func (l *Lines) Write(p []byte) (int, error) {
	l.rest = append(l.rest, p...)
	for {
		end := bytes.IndexByte(l.rest, '\n')
		switch {
		case end >= 0:
			l.Each(string(l.rest[:end]))
			l.rest = l.rest[end+1:]
		case len(l.rest) >= lineMax:
			l.Each(string(l.rest))
			l.rest = nil
		default:
			return len(p), nil
		}
	}
}
