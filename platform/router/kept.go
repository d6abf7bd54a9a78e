package router

import (
	"sync"
	"sync/atomic"
)

const (
	// replayBytes bounds what of a request is kept for another attempt. A
	// request that has sent more gets no other (grpc-go,
	// MaxRetryRPCBufferSize, 256 KiB).
	replayBytes = 256 << 10
	// keptMax bounds what all requests under way keep together: 256 of the
	// largest. One that would keep more gets no other attempt.
	keptMax = 64 << 20
	// smallAsk is up to what size a request is kept in memory of its own size;
	// more is kept in parts that are used again.
	smallAsk  = 2 << 10
	partBytes = 16 << 10
)

// kept is what another attempt would have to send.
type kept struct {
	small []byte
	parts []*[]byte
	bytes int
	all   *atomic.Int64 // bytes kept by all requests
}

// hasRoom says whether n bytes more may be kept.
func (k *kept) hasRoom(n int) bool {
	return k.bytes+n <= replayBytes && k.all.Load()+int64(n) <= keptMax
}

// spareParts are parts that no request needs now.
var spareParts = sync.Pool{New: func() any { b := make([]byte, 0, partBytes); return &b }}

func (k *kept) add(p []byte) {
	k.bytes += len(p)
	k.all.Add(int64(len(p)))
	if len(k.parts) == 0 && len(k.small)+len(p) <= smallAsk {
		k.small = append(k.small, p...)
		return
	}
	for len(p) > 0 {
		if n := len(k.parts); n == 0 || len(*k.parts[n-1]) == partBytes {
			fresh := spareParts.Get().(*[]byte)
			*fresh = (*fresh)[:0]
			k.parts = append(k.parts, fresh)
		}
		last := k.parts[len(k.parts)-1]
		n := min(len(p), partBytes-len(*last))
		*last = append(*last, p[:n]...)
		p = p[n:]
	}
}

// each passes on everything, in order; end is true with the last of it. It must
// not be called when nothing is kept.
func (k *kept) each(pass func(p []byte, last bool)) {
	if len(k.small) > 0 {
		pass(k.small, len(k.parts) == 0)
	}
	for i, part := range k.parts {
		pass(*part, i == len(k.parts)-1)
	}
}

// free forgets everything.
func (k *kept) free() {
	for _, part := range k.parts {
		spareParts.Put(part)
	}
	k.all.Add(int64(-k.bytes))
	*k = kept{all: k.all}
}
