package router

import (
	"strconv"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/net/http2/hpack"

	"breakbank/platform/wire"
)

// slowReader takes a stream at a pace, through windows that it opens no
// further.
type slowReader struct {
	got  atomic.Int64
	left atomic.Int64 // received and not yet consumed
	end  chan error
	call *wireCall
}

func (s *slowReader) begin(t *testing.T, c *wireCaller, size int) {
	t.Helper()
	s.end = make(chan error, 1)
	s.call = &wireCall{
		onData: func(_ *wire.Batch, _ *wire.Stream, p []byte) {
			s.got.Add(int64(len(p)))
			s.left.Add(int64(len(p)))
		},
		done: func(_ *wireCall, err error) { s.end <- err },
	}
	var b wire.Batch
	fields := append(callFields("Stream"), hpack.HeaderField{Name: bytesAsked, Value: strconv.Itoa(size)})
	if err := c.open(&b, s.call, fields); err != nil {
		t.Fatal(err)
	}
	s.call.stream.SendData(&b, nil, true)
	b.Flush()
}

// take consumes up to n bytes.
func (s *slowReader) take(n int) {
	var b wire.Batch
	n = min(n, int(s.left.Load()))
	s.left.Add(int64(-n))
	s.call.stream.Consume(&b, n)
	b.Flush()
}

// TestSlowReader: a long stream to a reader that is slow (100 MB at 1 MB/s, or a
// tenth of it at ten times the pace for a second) costs no more memory than
// its windows, in caller, router and instance together, and slows nothing else
// on the same connection.
func TestSlowReader(t *testing.T) {
	hold, full := soak(t)
	const (
		memoryMax = 20 << 20
		tick      = 10 * time.Millisecond
	)
	size, perTick := 10<<20, 100<<10
	if full {
		size, perTick = 100<<20, 10<<10
		hold = max(hold, 100*time.Second)
	}
	registry := newRegistryStub(t)
	registry.set("echo", startWireBackend(t).instance())
	r, addr := startRouter(t, registry, "{strategy: round-robin}")
	<-r.Ready()
	c := dialWire(t, addr)
	var b wire.Batch
	unary := func(took []time.Duration) []time.Duration {
		d, err := c.unary(&b, wireMessage(10))
		if err != nil {
			t.Fatal(err)
		}
		return append(took, d)
	}
	var alone, beside []time.Duration
	for range 500 {
		alone = unary(alone)
	}
	idle := memory()

	var slow slowReader
	slow.begin(t, c, size)
	most := uint64(0)
	ticker := time.NewTicker(tick)
	defer ticker.Stop()
	measured := time.Now()
	began := time.Now()
	taken := 0
	for over := false; !over; {
		select {
		case <-ticker.C:
			due := int(time.Since(began)/tick) * perTick
			slow.take(due - taken)
			taken = max(due, taken)
			beside = unary(beside)
			if time.Since(measured) > hold/10 {
				most, measured = max(most, memory()), time.Now()
			}
		case err := <-slow.end:
			if err != nil {
				t.Fatal(err)
			}
			over = true
		}
	}
	if got := slow.got.Load(); got != int64(size) {
		t.Errorf("%d bytes came of %d", got, size)
	}
	took, least := time.Since(began), time.Duration(size/perTick)*tick/2
	if took < least {
		t.Errorf("the stream took %v: its reader was not slow", took)
	}
	above := int64(most) - int64(idle)
	t.Logf("%d MiB in %v: at most %d KiB above idle; other calls p50 %v and p99 %v, alone %v and %v",
		size>>20, took, above>>10, quantile(beside, 0.5), quantile(beside, 0.99), quantile(alone, 0.5), quantile(alone, 0.99))
	if above > memoryMax {
		t.Errorf("%d KiB above idle, at most %d are allowed", above>>10, memoryMax>>10)
	}
	// What shares the connection must not wait for the reader, to whom a
	// window's worth of bytes is a quarter of a second and more.
	var after []time.Duration
	for range len(beside) {
		after = unary(after)
	}
	if p, busy := quantile(beside, 0.9), quantile(after, 0.9); p > max(100*time.Millisecond, 5*busy) {
		t.Errorf("a tenth of the other calls took more than %v, and %v after that", p, busy)
	}
}
