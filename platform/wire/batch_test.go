package wire

import (
	"fmt"
	"testing"

	"golang.org/x/net/http2"
)

// A batch takes any number of connections, and flushes when it is told to:
// what is sent under a lock of the owner's must not come back to it as Sent.
func TestBatchOfManyConnections(t *testing.T) {
	const conns = 3 * batchRoom
	h := newRecorder()
	var peers []*peer
	for range conns {
		peers = append(peers, greetedServerOf(t, h))
	}
	var b Batch
	for round := range 2 {
		for _, p := range peers {
			if _, err := p.conn.Open(&b, nil, requestFields(), true); err != nil {
				t.Fatal(err)
			}
			p.conn.mu.Lock()
			waits := p.conn.out.Len()
			p.conn.mu.Unlock()
			if waits == 0 {
				t.Fatal("it was flushed before it was told to")
			}
		}
		b.Flush()
		for i, p := range peers {
			p.until(fmt.Sprintf("request %d on connection %d", round, i), func(s seen) bool { return s.kind == http2.FrameHeaders })
		}
	}
}
