package transport

import (
	"encoding/binary"
	"strconv"
	"time"
)

// prefixReader follows the prefixes of gRPC messages through the pieces in
// which a stream comes, and counts messages.
type prefixReader struct {
	head  [PrefixBytes]byte
	have  int   // of head
	body  int64 // left of the message
	count int64
}

func (r *prefixReader) take(p []byte) {
	for len(p) > 0 {
		if r.body > 0 {
			n := min(int64(len(p)), r.body)
			r.body -= n
			p = p[n:]
			if r.body == 0 {
				r.count++
			}
			continue
		}
		n := copy(r.head[r.have:], p)
		r.have += n
		p = p[n:]
		if r.have == PrefixBytes {
			r.have = 0
			if r.body = int64(binary.BigEndian.Uint32(r.head[1:])); r.body == 0 {
				r.count++
			}
		}
	}
}

// between says that the last message is complete.
func (r *prefixReader) between() bool { return r.have == 0 && r.body == 0 }

// timeoutText keeps the text of the last grpc-timeout, since most calls of a
// load have the same patience: in milliseconds, so that it stays the same.
type timeoutText struct {
	ms   int64
	text string
}

// timeoutMaxMs is the largest that the eight digits of grpc-timeout can say.
const timeoutMaxMs = 99_999_999

func (t *timeoutText) of(left time.Duration) string {
	ms := min(max((left+time.Millisecond-1).Milliseconds(), 1), timeoutMaxMs)
	if ms != t.ms || t.text == "" {
		t.ms, t.text = ms, strconv.FormatInt(ms, 10)+"m"
	}
	return t.text
}
