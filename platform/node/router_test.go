package node

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/goleak"

	"breakbank/platform/apiserver/client"
	"breakbank/platform/router"
)

const (
	plainConfig    = "strategy: round-robin\n"
	mbbConfig      = "strategy: round-robin\npolicies: [make-before-break]\n"
	snapshotConfig = "strategy: round-robin\npolicies: [config-snapshot]\n"
)

// fakeRouter greets with its number, and holds the connections that say
// nothing, as a router does.
type fakeRouter struct {
	number   int
	listener net.Listener
	ready    chan struct{}
	drained  atomic.Bool

	mu     sync.Mutex
	held   []net.Conn
	killed bool
	done   chan struct{}
}

func (r *fakeRouter) serve() {
	defer close(r.done)
	for {
		conn, err := r.listener.Accept()
		if err != nil {
			return
		}
		r.mu.Lock()
		if r.killed {
			conn.Close()
		} else {
			_, _ = conn.Write([]byte{byte('0' + r.number)})
			r.held = append(r.held, conn)
		}
		r.mu.Unlock()
	}
}

func (r *fakeRouter) Ready() <-chan struct{} { return r.ready }
func (r *fakeRouter) Status() router.Status  { return router.Status{Names: r.number} }
func (r *fakeRouter) Drain(context.Context) error {
	r.drained.Store(true)
	r.Kill()
	return nil
}

func (r *fakeRouter) Kill() {
	r.listener.Close()
	r.mu.Lock()
	r.killed = true
	for _, conn := range r.held {
		conn.Close()
	}
	r.held = nil
	r.mu.Unlock()
	<-r.done
}

// bench is a keeper with fake routers and a fake API server.
type bench struct {
	t      *testing.T
	keeper *routerKeeper
	socket *Socket
	dir    string

	mu      sync.Mutex
	routers []*fakeRouter
	unready bool // routers started from now on do not become ready
	config  string
	dark    bool   // the API servers answer nothing
	oneDark bool   // the first of them answers nothing
	refuse  string // the configuration that no router is made with
	made    string // the configuration of the last router
}

func newBench(t *testing.T, config string) *bench {
	t.Helper()
	t.Cleanup(func() { goleak.VerifyNone(t) })
	b := &bench{t: t, config: config, dir: t.TempDir()}
	b.start()
	return b
}

// start runs a new keeper, as an agent that has been restarted would.
func (b *bench) start() {
	first := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { b.serveConfig(w, r, true) }))
	b.t.Cleanup(first.Close)
	second := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { b.serveConfig(w, r, false) }))
	b.t.Cleanup(second.Close)
	servers := apiServers{client.New(first.URL), client.New(second.URL)}
	b.t.Cleanup(servers.close)
	b.socket = NewSocket(listen(b.t))
	log := slog.New(slog.DiscardHandler)
	b.keeper = newRouterKeeper(b.socket, &routerConfig{servers: servers, dir: b.dir, log: log}, b.make, log)
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() { defer close(done); b.keeper.run(ctx) }()
	b.t.Cleanup(func() { cancel(); <-done; _ = b.socket.Close() })
}

func (b *bench) serveConfig(w http.ResponseWriter, r *http.Request, first bool) {
	b.mu.Lock()
	dark, config := b.dark || first && b.oneDark, b.config
	b.mu.Unlock()
	if dark {
		<-r.Context().Done()
		return
	}
	if config == "" {
		w.WriteHeader(http.StatusNotFound)
		return
	}
	quoted := strings.ReplaceAll(config, "\n", `\n`)
	_, _ = w.Write([]byte(`{"metadata":{"name":"router"},"data":{"config.yaml":"` + quoted + `"}}`))
}

func (b *bench) make(config []byte, l net.Listener) (Router, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if _, err := router.ParseConfig(config); err != nil || string(config) == b.refuse {
		return nil, errors.Join(errors.New("refused"), err)
	}
	b.made = string(config)
	r := &fakeRouter{number: len(b.routers) + 1, listener: l, ready: make(chan struct{}), done: make(chan struct{})}
	if !b.unready {
		close(r.ready)
	}
	b.routers = append(b.routers, r)
	go r.serve()
	return r, nil
}

func (b *bench) set(change func()) {
	b.mu.Lock()
	defer b.mu.Unlock()
	change()
}

func (b *bench) await(what string, is func(RouterStatus) bool) {
	b.t.Helper()
	await(b.t, what, func() bool { return is(b.keeper.status()) })
}

func await(t *testing.T, what string, is func() bool) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), testLimit)
	defer cancel()
	again := time.NewTicker(5 * time.Millisecond)
	defer again.Stop()
	for !is() {
		select {
		case <-ctx.Done():
			t.Fatalf("%s: not within %v", what, testLimit)
		case <-again.C:
		}
	}
}

// who connects and returns the number of the router that answers, and the
// connection.
func (b *bench) who() (byte, net.Conn) {
	b.t.Helper()
	conn := dial(b.t, b.socket.Addr())
	number := make([]byte, 1)
	if _, err := conn.Read(number); err != nil {
		b.t.Fatal(err)
	}
	return number[0], conn
}

func ended(conn net.Conn) bool {
	defer conn.Close()
	_, err := conn.Read(make([]byte, 1))
	var timeout net.Error
	return err != nil && (!errors.As(err, &timeout) || !timeout.Timeout())
}

func TestRouterRestartBreaksBeforeItMakes(t *testing.T) {
	b := newBench(t, plainConfig)
	b.await("first router", func(s RouterStatus) bool { return s.Running })
	number, conn := b.who()
	if s := b.keeper.status(); number != '1' || s.Incarnation != 1 || s.Names != 1 {
		t.Fatalf("router %c, status %+v", number, s)
	}
	b.set(func() { b.config = "" }) // It cannot come back yet.
	b.keeper.restart()
	if !ended(conn) {
		t.Error("the old router's connections live")
	}
	if s := b.keeper.status(); s.Running || s.Incarnation != 2 {
		t.Errorf("status %+v, want down in its second incarnation", s)
	}
	b.await("the reason", func(s RouterStatus) bool { return strings.Contains(s.Detail, "404") })
	b.keeper.restart() // Nothing dies of it.
	if s := b.keeper.status(); s.Running || s.Incarnation != 2 {
		t.Errorf("status %+v, want down in its second incarnation still", s)
	}
	waiting := dial(t, b.socket.Addr())
	b.set(func() { b.config = plainConfig })
	b.await("second router", func(s RouterStatus) bool { return s.Running })
	answer := make([]byte, 1)
	if _, err := waiting.Read(answer); err != nil || answer[0] != '2' {
		t.Errorf("who had waited got %q, %v", answer, err)
	}
	waiting.Close()
}

func TestRouterMadeBeforeTheOldOneIsBroken(t *testing.T) {
	b := newBench(t, mbbConfig)
	b.await("first router", func(s RouterStatus) bool { return s.Running })
	_, conn := b.who()
	b.set(func() { b.unready = true })
	b.keeper.restart()
	await(t, "second router being made", func() bool { b.mu.Lock(); defer b.mu.Unlock(); return len(b.routers) == 2 })
	if number, other := b.who(); number != '1' || b.keeper.status().Incarnation != 1 {
		t.Errorf("router %c serves before the new one is ready", number)
	} else {
		other.Close()
	}
	close(b.routers[1].ready)
	b.await("second router", func(s RouterStatus) bool { return s.Incarnation == 2 })
	if number, other := b.who(); number != '2' {
		t.Errorf("router %c serves, want the new one", number)
	} else {
		other.Close()
	}
	if !ended(conn) || !b.routers[0].drained.Load() {
		t.Error("the old router was not drained")
	}
}

func TestRouterStaysWhenNoOtherCanBeMade(t *testing.T) {
	b := newBench(t, mbbConfig)
	b.await("first router", func(s RouterStatus) bool { return s.Running })
	b.set(func() { b.config = "policies: [make-before-break]\n"; b.dark = true })
	b.keeper.restart()
	if number, conn := b.who(); number != '1' || !b.keeper.status().Running {
		t.Errorf("router %c, running %t", number, b.keeper.status().Running)
	} else {
		conn.Close()
	}
}

func TestRouterStartsFromASnapshotOnlyWhereItsPolicySaysSo(t *testing.T) {
	for _, c := range []struct {
		name, config string
		starts       bool
	}{{"with the policy", snapshotConfig, true}, {"without it", plainConfig, false}} {
		t.Run(c.name, func(t *testing.T) {
			b := newBench(t, c.config)
			b.await("first router", func(s RouterStatus) bool { return s.Running })
			b.set(func() { b.dark = true })
			b.keeper.restart()
			if c.starts {
				b.await("router from the snapshot", func(s RouterStatus) bool { return s.Running })
			} else {
				b.await("a failed Get", func(s RouterStatus) bool { return strings.Contains(s.Detail, "ConfigMap") })
				if b.keeper.status().Running {
					t.Error("the router runs without its configuration")
				}
			}
			_, err := os.Stat(filepath.Join(b.dir, snapshotFile))
			if saved := err == nil; saved != c.starts {
				t.Errorf("on disk: %t, want %t", saved, c.starts)
			}
		})
	}
}

func TestSnapshotIsForgottenWithItsPolicy(t *testing.T) {
	b := newBench(t, snapshotConfig)
	b.await("first router", func(s RouterStatus) bool { return s.Running })
	b.set(func() { b.config = plainConfig })
	b.keeper.restart()
	b.await("second router", func(s RouterStatus) bool { return s.Running && s.Names == 2 })
	if _, err := os.Stat(filepath.Join(b.dir, snapshotFile)); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the snapshot is there: %v", err)
	}
}
