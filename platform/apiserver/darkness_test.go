package apiserver

import (
	"net"
	"net/http"
	"sync"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"breakbank/platform/apiserver/client"
)

// swallower relays TCP to etcd. Connections that exist when it goes dark stay
// ESTABLISHED and carry nothing more; later ones work.
type swallower struct {
	listener net.Listener
	target   string
	running  sync.WaitGroup

	mu    sync.Mutex
	links []*link
}

type link struct {
	near, far net.Conn
	mu        sync.Mutex
	dark      bool
	swallowed int
}

func newSwallower(t *testing.T, l net.Listener, target string) *swallower {
	s := &swallower{listener: l, target: target}
	s.running.Go(s.accept)
	t.Cleanup(s.close)
	return s
}

func (s *swallower) accept() {
	for {
		near, err := s.listener.Accept()
		if err != nil {
			return
		}
		far, err := net.Dial("tcp", s.target)
		if err != nil {
			near.Close()
			continue
		}
		l := &link{near: near, far: far}
		s.mu.Lock()
		s.links = append(s.links, l)
		s.mu.Unlock()
		s.running.Go(func() { l.pump(near, far) })
		s.running.Go(func() { l.pump(far, near) })
	}
}

func (l *link) pump(from, to net.Conn) {
	defer from.Close()
	defer to.Close()
	buf := make([]byte, 32<<10)
	for {
		n, err := from.Read(buf)
		if err != nil {
			return
		}
		l.mu.Lock()
		dark := l.dark
		if dark {
			l.swallowed += n
		}
		l.mu.Unlock()
		if dark {
			continue
		}
		if _, err := to.Write(buf[:n]); err != nil {
			return
		}
	}
}

func (s *swallower) goDark() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, l := range s.links {
		l.mu.Lock()
		l.dark = true
		l.mu.Unlock()
	}
}

func (s *swallower) swallowed() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	n := 0
	for _, l := range s.links {
		l.mu.Lock()
		n += l.swallowed
		l.mu.Unlock()
	}
	return n
}

func (s *swallower) close() {
	s.listener.Close()
	s.mu.Lock()
	for _, l := range s.links {
		l.near.Close()
		l.far.Close()
	}
	s.mu.Unlock()
	s.running.Wait()
}

// Mechanisms 1, 2 and 6 of the outage: a dark connection stalls its kind and
// no other, without a word; a new API server on the same address is well.
func TestDarkConnection(t *testing.T) {
	t.Parallel()
	b := newBed(t)
	b.readLimit = time.Second
	ctx := t.Context()
	relayListener, err := b.ports.Listen()
	if err != nil {
		t.Fatal(err)
	}
	relay := newSwallower(t, relayListener, b.cluster.ClientAddrs()[0])
	endpoint := func(resource string) string {
		if resource == "endpoints" {
			return relayListener.Addr().String()
		}
		return b.cluster.ClientAddrs()[0]
	}
	s, base := b.start(nil, endpoint)
	b.waitReady(s)
	c := b.client(base)
	w, err := c.Watch(ctx, "endpoints", 0)
	if err != nil {
		t.Fatal(err)
	}
	if ev := nextAny(t, w); ev.Type != client.Bookmark {
		t.Fatalf("first event %s, want a bookmark: the connection is well", ev.Type)
	}
	known := s.CacheRevision("endpoints")
	relay.goDark()
	b.create("endpoints", endpointsOf("ledger", 12001))

	heard := make(chan client.Event, 10)
	ended := make(chan error, 1)
	go func() {
		for {
			ev, err := w.Next()
			if err != nil {
				ended <- err
				return
			}
			heard <- ev
		}
	}()
	began := time.Now()
	_, err = c.List(ctx, "endpoints", "")
	wantStatus(t, "list on a dark connection", err, http.StatusGatewayTimeout, metav1.StatusReasonTimeout)
	if took := time.Since(began); took < time.Second {
		t.Errorf("list on a dark connection failed after %s, want it to hang for the limit of 1 s", took)
	}
	_, err = c.Get(ctx, "endpoints", "ledger")
	wantStatus(t, "get on a dark connection", err, http.StatusGatewayTimeout, metav1.StatusReasonTimeout)
	if list, err := c.List(ctx, "endpoints", "0"); err != nil || len(list.Items) != 0 {
		t.Errorf("list from the cache: %+v, %v", list, err)
	}
	b.create("configmaps", configMapOf("router", "1"))
	if _, err := c.Get(ctx, "configmaps", "router"); err != nil {
		t.Errorf("other kinds: %v", err)
	}
	eventually(t, "other kinds' caches go on", func() (bool, any) {
		list, err := c.List(ctx, "configmaps", "0")
		return err == nil && len(list.Items) == 1, err
	})
	// Two bookmark intervals have passed while the reads hung.
	select {
	case ev := <-heard:
		t.Errorf("heard %s at %d on a dark connection", ev.Type, ev.ResourceVersion)
	case err := <-ended:
		t.Errorf("the watch ended: %v", err)
	default:
	}
	if now := s.CacheRevision("endpoints"); now != known {
		t.Errorf("cache moved from %d to %d in the dark", known, now)
	}
	if relay.swallowed() == 0 {
		t.Error("the relay has swallowed nothing")
	}

	b.close(s)
	if err := <-ended; err == nil {
		t.Error("the list that hung was answered by a server that had been closed")
	}
	l, err := net.Listen("tcp", base[len("http://"):])
	if err != nil {
		t.Fatalf("same address again: %v", err)
	}
	again, _ := b.start(l, endpoint)
	defer b.close(again)
	b.waitReady(again)
	list, err := c.List(ctx, "endpoints", "")
	if err != nil || len(list.Items) != 1 {
		t.Errorf("after the restart: %+v, %v", list, err)
	}
	_, err = c.Watch(ctx, "endpoints", known)
	wantStatus(t, "watch from before the restart", err, http.StatusGone, metav1.StatusReasonExpired)
}

// A cache that has not had its first list answers unavailable, and reads from
// etcd itself do not need it.
func TestFreshCacheIsUnavailable(t *testing.T) {
	t.Parallel()
	b := newBed(t)
	b.readLimit = time.Second
	ctx := t.Context()
	silent, err := b.ports.Listen() // accepts by backlog, and never answers
	if err != nil {
		t.Fatal(err)
	}
	defer silent.Close()
	s, base := b.start(nil, func(string) string { return silent.Addr().String() })
	defer b.close(s)
	c := b.client(base)
	_, err = c.Watch(ctx, "services", 0)
	wantStatus(t, "watch", err, http.StatusServiceUnavailable, metav1.StatusReasonServiceUnavailable)
	_, err = c.Watch(ctx, "services", 5)
	wantStatus(t, "watch from 5", err, http.StatusServiceUnavailable, metav1.StatusReasonServiceUnavailable)
	_, err = c.List(ctx, "services", "0")
	wantStatus(t, "list at 0", err, http.StatusServiceUnavailable, metav1.StatusReasonServiceUnavailable)
	_, err = c.List(ctx, "services", "")
	wantStatus(t, "list", err, http.StatusGatewayTimeout, metav1.StatusReasonTimeout)
	if s.Ready("services") || s.CacheRevision("services") != 0 {
		t.Errorf("ready %t at %d", s.Ready("services"), s.CacheRevision("services"))
	}
}
