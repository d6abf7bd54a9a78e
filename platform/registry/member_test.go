package registry

import (
	"context"
	"fmt"
	"io"
	"net"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
)

// Members tell others a name and listen at an address, as in a container; the
// cluster grows all the same.
func TestBindHostDiffersFromAdvertisedHost(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	c, err := StartCluster(ctx, ClusterConfig{Members: 3, Host: func(i int) (Host, error) {
		cfg := newMemberConfig(t, i)
		cfg.BindHost = "127.0.0.1"
		for _, addr := range []*string{&cfg.Seat.ClientAddr, &cfg.Seat.PeerAddr} {
			*addr = strings.Replace(*addr, "127.0.0.1", "localhost", 1)
		}
		return NewMember(cfg), nil
	}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := c.Close(); err != nil {
			t.Error(err)
		}
	})
	if err := c.Grow(ctx, 4, nil); err != nil {
		t.Fatal(err)
	}
	members, err := c.list(ctx)
	if err != nil || len(members) != 4 {
		t.Fatalf("members: %v, %v, want 4", members, err)
	}
	for _, m := range members {
		for _, u := range append(m.GetPeerURLs(), m.GetClientURLs()...) {
			if !strings.HasPrefix(u, "http://localhost:") {
				t.Errorf("%s tells others %s, want the name", m.GetName(), u)
			}
		}
	}
	for _, m := range local(c) {
		at := m.server().clients.Addr()
		if host, _, _ := net.SplitHostPort(at.String()); host != "127.0.0.1" {
			t.Errorf("%s listens at %s, want 127.0.0.1", m.Seat().Name, at)
		}
	}
}

// etcd listens at addresses only: a seat with a name needs a bind host.
func TestNameWithoutBindHostIsRefused(t *testing.T) {
	t.Parallel()
	cfg := newMemberConfig(t, 0)
	cfg.Seat.ClientAddr = "etcd-a.bank:2379"
	err := NewMember(cfg).Start(t.Context(), InitialCluster(cfg.Seat), StateNew)
	if err == nil || !strings.Contains(err.Error(), "etcd-a.bank:2379") {
		t.Errorf("started at a name: %v", err)
	}
}

func newMemberConfig(t *testing.T, i int) MemberConfig {
	t.Helper()
	h, err := ClusterConfig{Dir: t.TempDir(), Address: testPorts.Address, Log: quiet}.inThisProcess(i)
	if err != nil {
		t.Fatal(err)
	}
	return h.(*Member).cfg
}

// A member starts once, however often it is told to, and again on its own data,
// whatever cluster it is told of.
func TestMemberStartsOnItsOwnData(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	m := NewMember(newMemberConfig(t, 0))
	t.Cleanup(func() {
		if err := m.Stop(context.Background()); err != nil {
			t.Error(err)
		}
	})
	if m.HasData() || m.Running() || m.Serves() {
		t.Fatal("a member that was never started has data, runs or serves")
	}
	if err := m.Ready(ctx); err == nil {
		t.Error("a stopped member is ready")
	}
	start := func(initialCluster, state string) {
		t.Helper()
		if err := m.Start(ctx, initialCluster, state); err != nil {
			t.Fatal(err)
		}
		if err := m.Ready(ctx); err != nil {
			t.Fatal(err)
		}
	}
	start(InitialCluster(m.Seat()), StateNew)
	first := m.server()
	start(InitialCluster(m.Seat()), StateNew)
	if m.server() != first || !m.HasData() || !m.Serves() {
		t.Error("started twice, it is not the one that was started first")
	}
	id := first.Server.MemberID()
	for range 2 {
		if err := m.Stop(ctx); err != nil {
			t.Fatal(err)
		}
	}
	if m.Running() || m.Serves() {
		t.Error("it runs after it was stopped")
	}
	start("etcd-z9=http://127.0.0.1:1", StateExisting)
	if again := m.server().Server.MemberID(); again != id {
		t.Errorf("it came back as %s, was %s", again, id)
	}
}

// A member that finds that it was removed ends by itself, and is known not to
// run.
func TestRemovedMemberDoesNotRun(t *testing.T) {
	t.Parallel()
	c := startCluster(t, 3)
	gone := local(c)[2]
	if err := c.remove(t.Context(), gone.Seat(), func(*pb.Member) bool { return true }); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the removed member has ended", func() (bool, any) { return !gone.Running(), "it runs" })
}

// frozen stands where a member's clients connect. While it is frozen it accepts
// and is silent; connections made in that time stay so for ever, as across a
// network that was cut.
type frozen struct {
	l  net.Listener
	on atomic.Bool

	mu      sync.Mutex
	conns   []net.Conn
	serving sync.WaitGroup
}

func newFrozen(t *testing.T, to string) *frozen {
	t.Helper()
	l, err := testPorts.Listen()
	if err != nil {
		t.Fatal(err)
	}
	f := &frozen{l: l}
	f.on.Store(true)
	f.serving.Go(func() {
		for {
			in, err := l.Accept()
			if err != nil {
				return
			}
			f.keep(in)
			if f.on.Load() {
				continue
			}
			out, err := net.Dial("tcp", to)
			if err != nil {
				_ = in.Close()
				continue
			}
			f.keep(out)
			f.serving.Go(func() { _, _ = io.Copy(out, in) })
			f.serving.Go(func() { _, _ = io.Copy(in, out) })
		}
	})
	t.Cleanup(func() {
		_ = l.Close()
		f.mu.Lock()
		for _, c := range f.conns {
			_ = c.Close()
		}
		f.mu.Unlock()
		f.serving.Wait()
	})
	return f
}

func (f *frozen) keep(c net.Conn) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.conns = append(f.conns, c)
}

// elsewhere is a member that clients reach at another address.
type elsewhere struct {
	*Member
	clientAddr string
}

func (e elsewhere) Seat() Seat {
	s := e.Member.Seat()
	s.ClientAddr = e.clientAddr
	return s
}

// A member that hangs holds nobody up who asks how the cluster does, and is
// known to answer again soon after it does.
func TestHangingMemberHoldsNobodyUp(t *testing.T) {
	t.Parallel()
	members := newMembers(t, 3)
	startThemselves(t, members)
	f := newFrozen(t, members[0].Seat().ClientAddr)
	c := attach(t, 3, []Host{elsewhere{members[0], f.l.Addr().String()}, members[1], members[2]})
	answering := func() string {
		began := time.Now()
		all := c.Members()
		// Asking the one that hangs would take all of askLimit.
		if took := time.Since(began); took > askLimit/2 {
			t.Errorf("looking at the members took %s", took)
		}
		var answers []string
		for _, m := range all {
			answers = append(answers, fmt.Sprintf("%s=%t/%t", m.Name, m.Running, m.Answers))
		}
		return strings.Join(answers, " ")
	}
	eventually(t, "the others answer, and it does not", func() (bool, any) {
		saw := answering()
		return saw == "etcd-a1=true/false etcd-b1=true/true etcd-c1=true/true", saw
	})
	for range 10 {
		if err := serves(c, 2*time.Second); err != nil {
			t.Errorf("two of three answer: %v", err)
		}
		answering()
	}
	f.on.Store(false)
	eventually(t, "all three answer", func() (bool, any) {
		saw := answering()
		return saw == "etcd-a1=true/true etcd-b1=true/true etcd-c1=true/true", saw
	})
}
