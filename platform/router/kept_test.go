package router

import (
	"bytes"
	"sync/atomic"
	"testing"
)

func TestKept(t *testing.T) {
	var all atomic.Int64
	k, other := kept{all: &all}, kept{all: &all}
	want := []byte{}
	for i := range 100 {
		p := bytes.Repeat([]byte{byte(i)}, i*i)
		if !k.hasRoom(len(p)) {
			break
		}
		k.add(p)
		want = append(want, p...)
	}
	var got []byte
	lasts := 0
	k.each(func(p []byte, last bool) {
		got = append(got, p...)
		if last {
			lasts++
		}
	})
	if !bytes.Equal(got, want) || lasts != 1 {
		t.Errorf("%d bytes were kept, %d come back, the last of them %d times", len(want), len(got), lasts)
	}
	if len(want) > replayBytes || k.hasRoom(replayBytes-len(want)+1) || !k.hasRoom(replayBytes-len(want)) {
		t.Errorf("%d bytes are kept of at most %d", len(want), replayBytes)
	}
	// What others keep counts.
	all.Add(int64(keptMax - len(want) - 1))
	if other.hasRoom(2) || !other.hasRoom(1) {
		t.Error("all together have another bound")
	}
	all.Add(int64(-(keptMax - len(want) - 1)))
	k.free()
	if n := all.Load(); n != 0 || k.bytes != 0 {
		t.Errorf("%d bytes are left, %d of all", k.bytes, n)
	}
}
