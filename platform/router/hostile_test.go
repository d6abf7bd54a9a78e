package router

import (
	"context"
	"errors"
	"net"
	"slices"
	"sync"
	"testing"
	"time"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"

	"breakbank/platform/wire"
)

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

// These are the turns of TestHostilePeers: what bad peers do meanwhile.
const (
	absent    = iota // nothing
	elsewhere        // they visit another router, which takes as much of the machine
	here             // they visit the callers' router
	turns
)

// TestHostilePeers: while peers of every bad kind come and go, well-behaved
// callers lose nothing and are hardly slowed down.
func TestHostilePeers(t *testing.T) {
	hold, full := soak(t)
	var addrs [2]string // of the callers' router, and of another
	var r *Router
	for i := range addrs {
		registry := newRegistryStub(t)
		registry.set("echo", startWireBackend(t).instance())
		var router *Router
		router, addrs[i] = startRouter(t, registry, "{strategy: p2c-ewma}")
		<-router.Ready()
		if i == 0 {
			r = router
		}
	}
	addr, other := addrs[0], addrs[1]
	conns := []*wireCaller{dialWire(t, addr), dialWire(t, addr), dialWire(t, addr), dialWire(t, addr)}
	const callers = 16

	// In a turn each kind comes once.
	rounds, ticks, every := 1, len(hostile), hold/2/time.Duration(len(hostile)+1)
	if full {
		// In turns of five seconds, so that what the machine does besides falls on
		// all of them. Two visits a second.
		ticks, every = 9, 500*time.Millisecond
		rounds = max(2, int(hold/(turns*time.Duration(ticks+1)*every)))
	}
	visits := 0
	visit := func(target string) {
		ctx, cancel := context.WithCancel(t.Context())
		pace := time.NewTicker(every)
		defer pace.Stop()
		var bad sync.WaitGroup
		defer bad.Wait()
		defer cancel()
		for range ticks {
			<-pace.C
			if target != "" {
				kind := hostile[visits%len(hostile)]
				visits++
				bad.Go(func() { _ = attack(ctx, target, kind.do) }) // the turn may be over
			}
		}
		<-pace.C
	}
	targets := [turns]string{absent: "", elsewhere: other, here: addr}
	var took [turns][]time.Duration
	var toElsewhere, toAbsent []float64 // p99 of a turn here to that of another
	for range rounds {
		var p99 [turns]float64
		for turn, target := range targets {
			l := startLoad(t, conns, callers)
			visit(target)
			now, err := l.stop()
			if err != nil {
				t.Errorf("turn %d: %v", turn, err)
			}
			p99[turn] = float64(quantile(now, 0.99))
			took[turn] = append(took[turn], now...)
		}
		toElsewhere, toAbsent = append(toElsewhere, p99[here]/p99[elsewhere]), append(toAbsent, p99[here]/p99[absent])
	}
	for turn, name := range [turns]string{absent: "absent", elsewhere: "elsewhere", here: "here"} {
		t.Logf("bad peers %-9s: p50 %v, p99 %v, at most %v", name, quantile(took[turn], 0.5), quantile(took[turn], 0.99), quantile(took[turn], 1))
	}
	t.Logf("%d visits; p99 here to elsewhere %.2f, to absent %.2f", visits, toElsewhere, toAbsent)
	if visits < 2*len(hostile) {
		t.Errorf("%d visits of bad peers are too few to show anything", visits)
	}
	// That they keep the machine busy is not the router's fault.
	if p, busy := quantile(took[here], 0.99), quantile(took[elsewhere], 0.99); !full && p > max(time.Second, 3*busy) {
		t.Errorf("p99 is %v, and %v while bad peers are elsewhere", p, busy)
	}
	if full && middle(toElsewhere) > 1.2 {
		t.Errorf("p99 is %.2f of what it is while bad peers are elsewhere, at most 1.20 is allowed", middle(toElsewhere))
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
	return slices.Sorted(slices.Values(of))[(len(of)-1)/2]
}

// Answers that a caller does not read hold up no other caller, although all of
// them come on one connection of the instance: more of them than anybody's
// windows are.
func TestUnreadAnswersHoldUpNoOther(t *testing.T) {
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
	_ = p.fr.WriteSettings(http2.Setting{ID: http2.SettingInitialWindowSize, Val: 0})
	const streams = 200
	for id := uint32(1); id < 2*streams; id += 2 {
		p.headers(id, append(requestBlock(p), p.encode(bytesAsked, "10000000")...), true)
		_ = p.fr.WriteData(id, true, nil)
	}
	for answered := 0; answered < streams; {
		f, err := p.fr.ReadFrame()
		if err != nil {
			t.Fatalf("%d streams were answered: %v", answered, err)
		}
		if f.Header().Type == http2.FrameHeaders {
			answered++
		}
	}
	c := dialWire(t, addr)
	var slow slowReader
	slow.begin(t, c, wire.ConnWindow+1)
	eventually(t, "another caller has its answer", func() bool {
		slow.take(wire.ConnWindow)
		return slow.got.Load() == wire.ConnWindow+1
	})
	if err := <-slow.end; err != nil {
		t.Error(err)
	}
	if down, up := streamsOpen(r); down != streams || up != streams {
		t.Errorf("%d streams of callers and %d to the instance are open", down, up)
	}
}
