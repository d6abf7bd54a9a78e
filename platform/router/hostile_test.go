package router

import (
	"bytes"
	"context"
	"errors"
	"net"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"

	"breakbank/platform/wire"
)

// hostile is what a bad peer sends until it is cut off or has had enough.
var hostile = []struct {
	name string
	do   func(p *badPeer)
}{
	{"HTTP/1.1", func(p *badPeer) { p.write([]byte(strings.Repeat("GET / HTTP/1.1\r\n\r\n", 100))) }},
	{"noise", func(p *badPeer) {
		p.greet()
		p.write(bytes.Repeat([]byte{0xa5, 0x5a, 0x00}, 10_000))
	}},
	{"a preface and no more", func(p *badPeer) { p.write([]byte(http2.ClientPreface[:10])) }},
	{"malformed frames", func(p *badPeer) {
		p.greet()
		_ = p.fr.WriteRawFrame(http2.FrameSettings, 0, 0, []byte{1, 2, 3})
	}},
	{"broken compression", func(p *badPeer) {
		p.greet()
		p.headers(1, []byte{0x80}, true)
	}},
	{"header bombs", func(p *badPeer) {
		p.greet()
		bomb := append(requestBlock(p), p.encode("bomb", strings.Repeat("x", 4000))...)
		for id := uint32(1); id < 100; id += 2 {
			p.headers(id, append(bomb, bytes.Repeat([]byte{0xbe}, 8000)...), true)
			bomb = requestBlock(p)
		}
	}},
	{"header blocks without end", func(p *badPeer) {
		p.greet()
		p.headers(1, requestBlock(p), false)
		for range 100 {
			_ = p.fr.WriteContinuation(1, false, nil)
		}
	}},
	{"oversized headers", func(p *badPeer) {
		p.greet()
		p.headers(1, nil, false)
		for range 100 {
			_ = p.fr.WriteContinuation(1, false, make([]byte, 16<<10))
		}
	}},
	{"rapid resets", func(p *badPeer) {
		p.greet()
		for id := uint32(1); id < 20_000; id += 2 {
			p.headers(id, requestBlock(p), true)
			if p.fr.WriteRSTStream(id, http2.ErrCodeCancel) != nil {
				return
			}
		}
	}},
	{"pings", flooding(func(fr *http2.Framer) error { return fr.WritePing(false, [8]byte{}) })},
	{"settings", flooding(func(fr *http2.Framer) error { return fr.WriteSettings() })},
	{"window updates", flooding(func(fr *http2.Framer) error { return fr.WriteWindowUpdate(0, 1) })},
	{"requests that never end", func(p *badPeer) {
		p.greet()
		for id := uint32(1); id < 2000; id += 2 {
			p.headers(id, requestBlock(p), true)
		}
	}},
	{"answers that are never read", func(p *badPeer) {
		p.greet()
		for id := uint32(1); id < 200; id += 2 {
			p.headers(id, append(requestBlock(p), p.encode(bytesAsked, "10000000")...), true)
			_ = p.fr.WriteData(id, true, nil)
		}
	}},
	{"half a connection", func(p *badPeer) {
		p.greet()
		p.headers(1, requestBlock(p), true)
		_ = p.nc.(*net.TCPConn).CloseWrite()
	}},
}

// badPeer is a connection to a router that keeps no rules.
type badPeer struct {
	nc    net.Conn
	fr    *http2.Framer
	enc   *hpack.Encoder
	block bytes.Buffer
}

func (p *badPeer) write(b []byte) { _, _ = p.nc.Write(b) } // it may have been cut off

func (p *badPeer) greet() {
	p.write([]byte(http2.ClientPreface))
	_ = p.fr.WriteSettings()
}

func (p *badPeer) encode(pairs ...string) []byte {
	p.block.Reset()
	for i := 0; i < len(pairs); i += 2 {
		_ = p.enc.WriteField(hpack.HeaderField{Name: pairs[i], Value: pairs[i+1]}) // to memory
	}
	return bytes.Clone(p.block.Bytes())
}

func requestBlock(p *badPeer) []byte {
	var pairs []string
	for _, f := range duplexFields {
		pairs = append(pairs, f.Name, f.Value)
	}
	return p.encode(pairs...)
}

func (p *badPeer) headers(id uint32, block []byte, end bool) {
	_ = p.fr.WriteHeaders(http2.HeadersFrameParam{StreamID: id, BlockFragment: block, EndHeaders: end})
}

func flooding(send func(fr *http2.Framer) error) func(p *badPeer) {
	return func(p *badPeer) {
		p.greet()
		for range 20_000 {
			if send(p.fr) != nil {
				return
			}
		}
	}
}

// hostility is how long a bad peer stays, once it has sent what it wanted.
const hostility = 50 * time.Millisecond

// attack is one visit of a bad peer. It reads nothing.
func attack(ctx context.Context, addr string, do func(p *badPeer)) error {
	nc, err := (&net.Dialer{}).DialContext(ctx, "tcp", addr)
	if err != nil {
		return err
	}
	defer nc.Close()
	_ = nc.SetDeadline(time.Now().Add(time.Second))
	p := &badPeer{nc: nc, fr: http2.NewFramer(nc, nil)}
	p.fr.AllowIllegalWrites = true
	p.enc = hpack.NewEncoder(&p.block)
	do(p)
	timer := time.NewTimer(hostility)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
	return nil
}

// load is well-behaved callers with a call under way each.
type load struct {
	mu     sync.Mutex
	took   []time.Duration
	errs   []error
	cancel context.CancelFunc
	work   sync.WaitGroup
}

// loadPause keeps callers from asking for all that the machine has: what the
// bad peers cost themselves would be measured otherwise.
const loadPause = 2 * time.Millisecond

func startLoad(t *testing.T, conns []*wireCaller, callers int) *load {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	l := &load{cancel: cancel}
	for i := range callers {
		l.work.Go(func() {
			var b wire.Batch
			ticker := time.NewTicker(loadPause)
			defer ticker.Stop()
			for ctx.Err() == nil {
				took, err := conns[i%len(conns)].unary(&b, wireMessage(100))
				l.mu.Lock()
				if err != nil {
					l.errs = append(l.errs, err)
				}
				l.took = append(l.took, took)
				l.mu.Unlock()
				select {
				case <-ticker.C:
				case <-ctx.Done():
				}
			}
		})
	}
	return l
}

// stop ends the load and returns what its calls took.
func (l *load) stop() ([]time.Duration, error) {
	l.cancel()
	l.work.Wait()
	return l.took, errors.Join(l.errs...)
}

// TestHostilePeers: while peers of every bad kind come and go, well-behaved
// callers lose nothing and are hardly slowed down.
func TestHostilePeers(t *testing.T) {
	hold, full := soak(t)
	registry := newRegistryStub(t)
	registry.set("echo", startWireBackend(t).instance())
	r, addr := startRouter(t, registry, "{strategy: p2c-ewma}")
	<-r.Ready()
	conns := []*wireCaller{dialWire(t, addr), dialWire(t, addr), dialWire(t, addr), dialWire(t, addr)}
	const callers = 16

	var visits atomic.Int64
	attacks := func(span time.Duration) {
		ctx, cancel := context.WithTimeout(t.Context(), span)
		defer cancel()
		pace := time.NewTicker(max(span/time.Duration(2*len(hostile)), 20*time.Millisecond))
		defer pace.Stop()
		var bad sync.WaitGroup
		defer bad.Wait()
		for i := 0; ; i++ {
			select {
			case <-ctx.Done():
				return
			case <-pace.C:
			}
			bad.Go(func() {
				if attack(ctx, addr, hostile[i%len(hostile)].do) == nil {
					visits.Add(1)
				}
			})
		}
	}
	// In turns, with and without, so that what the machine does besides falls
	// on both.
	windows, span := 1, hold
	if full {
		windows, span = max(1, int(hold/(6*time.Second))), 3*time.Second
	}
	var ratios []float64
	var without, with []time.Duration
	for range windows {
		l := startLoad(t, conns, callers)
		timer := time.NewTimer(span)
		<-timer.C
		quiet, err := l.stop()
		if err != nil {
			t.Fatalf("without bad peers: %v", err)
		}
		l = startLoad(t, conns, callers)
		attacks(span)
		loud, err := l.stop()
		if err != nil {
			t.Errorf("with bad peers: %v", err)
		}
		without, with = append(without, quiet...), append(with, loud...)
		ratios = append(ratios, float64(quantile(loud, 0.99))/float64(quantile(quiet, 0.99)))
	}
	t.Logf("%d visits of bad peers; p50 %v and p99 %v with them, %v and %v without; p99 with / without in %d turns: %.2f",
		visits.Load(), quantile(with, 0.5), quantile(with, 0.99), quantile(without, 0.5), quantile(without, 0.99), windows, ratios)
	if visits.Load() < int64(len(hostile)) {
		t.Errorf("%d visits of bad peers are too few to show anything", visits.Load())
	}
	if p := quantile(with, 0.99); !full && p > time.Second {
		t.Errorf("p99 is %v", p)
	}
	if full && middle(ratios) > 1.2 {
		t.Errorf("p99 is %.2f of what it is without bad peers, at most 1.20 is allowed", middle(ratios))
	}
	eventually(t, "only the callers are left", func() bool {
		f := r.plane.(*frames)
		f.callers.mu.Lock()
		defer f.callers.mu.Unlock()
		return len(f.callers.open) == len(conns)
	})
	for _, c := range conns {
		if err := c.conn.Err(); err != nil {
			t.Errorf("a well-behaved caller's connection ended: %v", err)
		}
	}
}

// middle is the median.
func middle(of []float64) float64 {
	sorted := append([]float64(nil), of...)
	for i := range sorted {
		for j := i; j > 0 && sorted[j] < sorted[j-1]; j-- {
			sorted[j], sorted[j-1] = sorted[j-1], sorted[j]
		}
	}
	return sorted[len(sorted)/2]
}

// untilHeaders reads up to the headers of an answer.
func (p *badPeer) untilHeaders(t *testing.T, id uint32) {
	t.Helper()
	for {
		f, err := p.fr.ReadFrame()
		if err != nil {
			t.Fatalf("waiting for the answer on stream %d: %v", id, err)
		}
		if h, ok := f.(*http2.HeadersFrame); ok && h.StreamID == id {
			return
		}
	}
}

// A caller that takes back answers which wait for it leaves the rest of the
// instance's connection as it was.
func TestCancelledAnswersGiveBackTheirWindow(t *testing.T) {
	registry := newRegistryStub(t)
	registry.set("echo", startWireBackend(t).instance())
	r, addr := startRouter(t, registry, "{}")
	<-r.Ready()
	nc, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	defer nc.Close()
	_ = nc.SetDeadline(time.Now().Add(20 * time.Second))
	p := &badPeer{nc: nc, fr: http2.NewFramer(nc, nc)}
	p.enc = hpack.NewEncoder(&p.block)
	p.greet()
	// Each answer is less than a window, so that the instance has said all of
	// it, while the caller's windows let nothing but the headers through.
	_ = p.fr.WriteSettings(http2.Setting{ID: http2.SettingInitialWindowSize, Val: 0})
	const size, streams = 200 << 10, 100
	for id := uint32(1); id < 2*streams; id += 2 {
		p.headers(id, append(requestBlock(p), p.encode(bytesAsked, "204800")...), true)
		_ = p.fr.WriteData(id, true, nil)
		p.untilHeaders(t, id)
		eventually(t, "the instance has said all of it", func() bool { _, up := streamsOpen(r); return up == 0 })
		_ = p.fr.WriteRSTStream(id, http2.ErrCodeCancel)
		eventually(t, "the stream is gone", func() bool { down, _ := streamsOpen(r); return down == 0 })
	}
	c := dialWire(t, addr)
	var slow slowReader
	slow.begin(t, c, 20*size)
	eventually(t, "another caller has its answer", func() bool {
		slow.take(size)
		return slow.got.Load() == 20*size
	})
	if err := <-slow.end; err != nil {
		t.Error(err)
	}
}
