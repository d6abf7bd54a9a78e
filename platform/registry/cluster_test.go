package registry

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"
)

// Growing from three members to nine fails no client: two clients write and
// read all the while, each request with no retry of its own and a deadline.
//
// It does not share its processors: who is not served for a while elects a leader,
// and what was asked of the one before fails.
func TestGrowServesThroughout(t *testing.T) {
	c := startCluster(t, 3)
	client := newClient(t, c)
	ctx, stop := context.WithCancel(t.Context())
	var load sync.WaitGroup
	var requests [2]int
	failures := make(chan error, 2)
	for worker := range requests {
		load.Go(func() {
			key := fmt.Sprintf("/load/%d", worker)
			pace := time.NewTicker(2 * time.Millisecond) // a load, not a benchmark
			defer pace.Stop()
			for n := 0; ctx.Err() == nil; n++ {
				<-pace.C
				if err := writeAndRead(client, key, fmt.Sprint(n)); err != nil {
					failures <- fmt.Errorf("request %d of worker %d: %w", n, worker, err)
					return
				}
				requests[worker]++
			}
		})
	}
	began := time.Now()
	var grown []string
	err := c.Grow(t.Context(), MaxMembers, func(name string, size int) {
		grown = append(grown, fmt.Sprintf("%s=%d", name, size))
	})
	took := time.Since(began)
	stop()
	load.Wait()
	close(failures)
	if err != nil {
		t.Fatal(err)
	}
	for err := range failures {
		t.Error(err)
	}
	if want := "[etcd-a2=4 etcd-b2=5 etcd-c2=6 etcd-a3=7 etcd-b3=8 etcd-c3=9]"; fmt.Sprint(grown) != want {
		t.Errorf("grew %v, want %v", grown, want)
	}
	if total := requests[0] + requests[1]; total < 5*len(grown) {
		t.Errorf("only %d requests while growing: too few to show anything", total)
	}
	if n := len(c.ClientAddrs()); n != MaxMembers {
		t.Errorf("%d client addresses, want %d: all members vote", n, MaxMembers)
	}
	resp, err := client.MemberList(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range resp.Members {
		if m.IsLearner {
			t.Errorf("%s is still a learner", m.Name)
		}
	}
	t.Logf("grew to 9 in %s under %d requests", took, requests[0]+requests[1])
}

// roundTrips are enough for an answer that was on its way to have arrived.
const roundTrips = 50

// A new member takes the list of members from the first peer that answers. One
// that has not heard of the newcomer yet holds the join up, and does not spoil
// it: here that peer is cut off, until the newcomer has been added, and for as
// long as Grow waits.
func TestGrowWaitsForALaggingPeer(t *testing.T) {
	t.Parallel()
	c := startCluster(t, 3)
	first, leader := laggingPeer(t, c)
	server := leader.server().Server
	server.CutPeer(first.server().Server.MemberID())

	// A growth that is given up before its addition has been answered has nobody
	// to wait for yet: then once more.
	var err error
	for range 10 {
		ctx, cancel := context.WithCancel(t.Context())
		grown := make(chan error, 1)
		go func() { grown <- c.Grow(ctx, 4, nil) }()
		eventually(t, "the leader knows the newcomer, or Grow has given up", func() (bool, any) {
			known := len(server.Cluster().Members())
			return known == 4 || len(grown) > 0, known
		})
		// What the leader answers now it answers after the addition.
		for range roundTrips {
			if err := c.Serves(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
		cancel()
		if err = <-grown; !errors.Is(err, context.Canceled) || strings.Contains(err.Error(), first.Seat().Name) {
			break
		}
	}
	if !errors.Is(err, context.Canceled) || !strings.Contains(err.Error(), first.Seat().Name) {
		t.Fatalf("Grow gave %v, want it to wait for %s", err, first.Seat().Name)
	}
	if n := len(c.Members()); n != 3 {
		t.Fatalf("%d members after a join that was given up, want 3", n)
	}

	// The peer has missed two changes when the next member comes.
	server.MendPeer(first.server().Server.MemberID())
	if err := c.Grow(t.Context(), 4, nil); err != nil {
		t.Fatal(err)
	}
	for _, m := range local(c) {
		if n := len(m.server().Server.Cluster().Members()); n != 4 {
			t.Errorf("%s knows %d members, want 4", m.Seat().Name, n)
		}
	}
}

// laggingPeer returns the peer that a new member asks first, which is in the
// order of their addresses, and a leader that is another, and that the cluster
// knows to lead: it is asked first for whatever changes.
func laggingPeer(t *testing.T, c *Cluster) (first, leader *Member) {
	t.Helper()
	members := local(c)
	first = slices.MinFunc(members, func(a, b *Member) int { return cmp.Compare(a.Seat().PeerAddr, b.Seat().PeerAddr) })
	for _, m := range members {
		if m != first {
			leader = m
		}
	}
	target := leader.server().Server.MemberID()
	eventually(t, leader.Seat().Name+" leads", func() (bool, any) {
		for _, m := range members {
			server := m.server().Server
			if lead := server.Leader(); lead == server.MemberID() && lead != target {
				return false, server.MoveLeader(t.Context(), uint64(lead), uint64(target))
			}
		}
		for _, m := range c.Members() {
			if m.Leader != (m.Name == leader.Seat().Name) {
				return false, c.Members()
			}
		}
		return true, nil
	})
	return first, leader
}

func writeAndRead(client *clientv3.Client, key, value string) error {
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	if _, err := client.Put(ctx, key, value); err != nil {
		return fmt.Errorf("put: %w", err)
	}
	resp, err := client.Get(ctx, key)
	if err != nil {
		return fmt.Errorf("get: %w", err)
	}
	if got := string(resp.Kvs[0].Value); got != value {
		return fmt.Errorf("read %q after writing %q", got, value)
	}
	return nil
}

// alone is a member that tells whether it is started while another is.
type alone struct {
	*Member
	starting *atomic.Int32
	together *atomic.Bool
}

func (a alone) Start(ctx context.Context, initialCluster, state string) error {
	if a.starting.Add(1) > 1 {
		a.together.Store(true)
	}
	defer a.starting.Add(-1)
	return a.Member.Start(ctx, initialCluster, state)
}

// Nine members need five: with four stopped the registry serves, with five it
// does not, and it does again when one is back with its data.
func TestQuorumLossAndReturn(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	var starting atomic.Int32
	var together atomic.Bool
	members := newMembers(t, MaxMembers)
	began := time.Now()
	c, err := StartCluster(ctx, ClusterConfig{Members: MaxMembers, Host: func(i int) (Host, error) {
		return alone{members[i], &starting, &together}, nil
	}})
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := c.Close(); err != nil {
			t.Error(err)
		}
	}()
	// Half a second, or a few on a busy machine. If each waited for the others
	// to serve, it would be eight (startAll).
	t.Logf("nine members took %s to start", time.Since(began))
	if together.Load() {
		t.Error("members were started at once, they wait for each other")
	}
	client := newClient(t, c)
	if _, err := client.Put(ctx, "/kept", "yes"); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"etcd-a1", "etcd-b1", "etcd-c1", "etcd-a2"} {
		if err := c.StopMember(ctx, name); err != nil {
			t.Fatal(err)
		}
	}
	eventually(t, "five of nine serve", func() (bool, any) {
		err := serves(c, 2*time.Second)
		return err == nil, err
	})
	if err := c.StopMember(ctx, "etcd-b2"); err != nil {
		t.Fatal(err)
	}
	if err := serves(c, time.Second); !errors.Is(err, context.DeadlineExceeded) {
		t.Fatalf("four of nine: linearizable read gave %v, want it to hang", err)
	}
	readAny, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	resp, err := client.Get(readAny, "/kept", clientv3.WithSerializable())
	if err != nil || len(resp.Kvs) != 1 {
		t.Fatalf("serializable read without a quorum: %v, %v", resp, err)
	}
	if err := c.StartMember(ctx, "etcd-a1"); err != nil {
		t.Fatal(err)
	}
	eventually(t, "five of nine serve again", func() (bool, any) {
		err := serves(c, 2*time.Second)
		return err == nil, err
	})
	running := 0
	for _, m := range c.Members() {
		if m.Running {
			running++
		}
	}
	if running != 5 {
		t.Errorf("%d members running, want 5: %+v", running, c.Members())
	}
}

func serves(c *Cluster, within time.Duration) error {
	ctx, cancel := context.WithTimeout(context.Background(), within)
	defer cancel()
	return c.Serves(ctx)
}

// A member that runs without a quorum has never become ready; it can still be
// stopped, and the cluster closed.
func TestCloseWithoutQuorum(t *testing.T) {
	t.Parallel()
	c := startCluster(t, 3)
	ctx := t.Context()
	for _, m := range c.Members() {
		if err := c.StopMember(ctx, m.Name); err != nil {
			t.Fatal(err)
		}
	}
	if err := c.StartMember(ctx, "etcd-b1"); err != nil {
		t.Fatal(err)
	}
	if err := c.StopMember(ctx, "etcd-b1"); err != nil {
		t.Fatal(err)
	}
	if err := c.StartMember(ctx, "etcd-c1"); err != nil {
		t.Fatal(err)
	}
	if err := c.StopMember(ctx, "etcd-z9"); !errors.Is(err, ErrUnknownMember) {
		t.Errorf("unknown member: %v", err)
	}
}

func TestClusterRefusesSizes(t *testing.T) {
	for _, members := range []int{0, MaxMembers + 1} {
		if _, err := StartCluster(t.Context(), ClusterConfig{Dir: t.TempDir(), Members: members}); err == nil {
			t.Errorf("%d members: no error", members)
		}
	}
}
