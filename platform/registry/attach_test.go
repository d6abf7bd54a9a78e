package registry

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"
)

// newMembers makes members in this process that have not been started.
func newMembers(t *testing.T, n int) []*Member {
	t.Helper()
	cfg, err := newCluster(ClusterConfig{Members: n, Dir: t.TempDir(), Address: testPorts.Address})
	if err != nil {
		t.Fatal(err)
	}
	var members []*Member
	for i := range n {
		h, err := cfg.host(i)
		if err != nil {
			t.Fatal(err)
		}
		members = append(members, h.(*Member))
	}
	t.Cleanup(func() {
		var stopping sync.WaitGroup
		for _, m := range members { // All at once: each waits a second for its peers.
			stopping.Go(func() {
				if err := m.Stop(context.Background()); err != nil {
					t.Error(err)
				}
			})
		}
		stopping.Wait()
	})
	return members
}

// startThemselves has members begin a cluster as processes do: each by itself.
func startThemselves(t *testing.T, members []*Member) {
	t.Helper()
	var seats []Seat
	for _, m := range members {
		seats = append(seats, m.Seat())
	}
	var starting sync.WaitGroup
	t.Cleanup(starting.Wait)
	for _, m := range members {
		starting.Go(func() {
			if err := m.Start(t.Context(), InitialCluster(seats...), StateNew); err != nil {
				t.Error(err)
			}
		})
	}
}

func attach(t *testing.T, members int, hosts []Host) *Cluster {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	c, err := AttachCluster(ctx, ClusterConfig{Members: members, Host: func(i int) (Host, error) {
		if i >= len(hosts) {
			return nil, fmt.Errorf("there are %d hosts, not %d", len(hosts), i+1)
		}
		return hosts[i], nil
	}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := c.Close(); err != nil {
			t.Error(err)
		}
	})
	return c
}

// voting lists the members that vote by the list that the cluster agrees on.
func voting(t *testing.T, c *Cluster) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	members, err := c.list(ctx)
	if err != nil {
		t.Fatal(err)
	}
	voters := map[string]bool{}
	for _, m := range members {
		voters[m.GetPeerURLs()[0]] = !m.GetIsLearner()
	}
	var names []string
	for _, m := range c.Members() {
		if voters["http://"+m.PeerAddr] && !m.Learner {
			names = append(names, m.Name)
		}
		delete(voters, "http://"+m.PeerAddr)
	}
	if len(voters) > 0 {
		t.Errorf("members that the cluster does not know of: %v", voters)
	}
	return strings.Join(names, " ")
}

// Members that start by themselves are found; the cluster grows into other
// processes, and whoever attaches to it later finds those that joined.
func TestAttachGrowAndAttachAgain(t *testing.T) {
	t.Parallel()
	members := newMembers(t, 5)
	var hosts []Host
	for i, m := range members {
		if i < 3 {
			hosts = append(hosts, m)
		} else {
			hosts = append(hosts, startMemberProcess(t, m.cfg))
		}
	}
	startThemselves(t, members[:3])
	c := attach(t, 3, hosts)
	if got, want := voting(t, c), "etcd-a1 etcd-b1 etcd-c1"; got != want {
		t.Fatalf("attached to %s, want %s", got, want)
	}
	if err := c.Grow(t.Context(), 5, nil); err != nil {
		t.Fatal(err)
	}
	const five = "etcd-a1 etcd-b1 etcd-c1 etcd-a2 etcd-b2"
	if got := voting(t, c); got != five {
		t.Fatalf("grew to %s, want %s", got, five)
	}
	if err := c.Close(); err != nil {
		t.Fatal(err)
	}
	if !members[0].Running() || !hosts[4].Running() {
		t.Fatal("letting go of the cluster stopped members that start by themselves")
	}

	again := attach(t, 3, hosts)
	if got := voting(t, again); got != five {
		t.Fatalf("attached again to %s, want %s", got, five)
	}
	if n := len(again.ClientAddrs()); n != 5 {
		t.Errorf("%d client addresses, want 5", n)
	}
	// What was found can be stopped and started like any other.
	if err := again.StopMember(t.Context(), "etcd-b2"); err != nil {
		t.Fatal(err)
	}
	if last := again.Members()[4]; last.Running || last.Answers {
		t.Errorf("after it was stopped: %+v", last)
	}
	if err := again.StartMember(t.Context(), "etcd-b2"); err != nil {
		t.Fatal(err)
	}
	eventually(t, "all members answer, one of them leads", func() (bool, any) {
		answering, leading := 0, 0
		for _, m := range again.Members() {
			if m.Answers {
				answering++
			}
			if m.Leader {
				leading++
			}
		}
		return answering == 5 && leading == 1, again.Members()
	})
}

// stuck is a Host that does not answer when it is to start a member.
type stuck struct {
	*Member
	asked chan struct{}
}

func (s stuck) Start(ctx context.Context, _, _ string) error {
	close(s.asked)
	<-ctx.Done()
	return context.Cause(ctx)
}

// Closing does not wait for a growth that is stuck: it ends it.
func TestCloseEndsGrowth(t *testing.T) {
	t.Parallel()
	members := newMembers(t, 2)
	startThemselves(t, members[:1])
	host := stuck{members[1], make(chan struct{})}
	c := attach(t, 1, []Host{members[0], host})
	grown := make(chan error, 1)
	go func() { grown <- c.Grow(context.Background(), 2, nil) }()
	<-host.asked
	if err := c.StopMember(canceled(t), "etcd-a1"); !errors.Is(err, context.Canceled) {
		t.Errorf("a change that nobody waits for any more, behind another: %v", err)
	}
	if err := c.Close(); err != nil {
		t.Error(err)
	}
	if err := <-grown; !errors.Is(err, errClosed) {
		t.Errorf("growth that was under way: %v, want %v", err, errClosed)
	}
	if err := c.StartMember(t.Context(), "etcd-a1"); !errors.Is(err, errClosed) {
		t.Errorf("start a member of a closed cluster: %v, want %v", err, errClosed)
	}
	if n := len(members[0].server().Server.Cluster().Members()); n != 1 {
		t.Errorf("%d members after a growth that was ended, want 1", n)
	}
}

func canceled(t *testing.T) context.Context {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	return ctx
}

// A process that dies while its member joins fails the growth soon, leaves the
// cluster as it was, and can join when it is back.
func TestGrowIntoAProcessThatDies(t *testing.T) {
	t.Parallel()
	members := newMembers(t, 4)
	startThemselves(t, members[:3])
	frail := startMemberProcess(t, members[3].cfg)
	frail.dies = true
	c := attach(t, 3, []Host{members[0], members[1], members[2], frail})
	began := time.Now()
	err := c.Grow(t.Context(), 4, nil)
	if !errors.Is(err, errProcessGone) || !strings.Contains(err.Error(), "member etcd-a2") {
		t.Fatalf("growing into a process that dies: %v, want %v of member etcd-a2", err, errProcessGone)
	}
	if took := time.Since(began); took > patience {
		t.Errorf("it took %s to notice", took)
	}
	if got, want := voting(t, c), "etcd-a1 etcd-b1 etcd-c1"; got != want || len(c.Members()) != 3 {
		t.Fatalf("after that: %s, want %s", got, want)
	}
	if !members[3].HasData() {
		t.Fatal("the attempt has left no data: the next one shows nothing")
	}
	frail.dies = false
	frail.run(t)
	if err := c.Grow(t.Context(), 4, nil); err != nil {
		t.Fatal(err)
	}
	if got, want := voting(t, c), "etcd-a1 etcd-b1 etcd-c1 etcd-a2"; got != want {
		t.Fatalf("when it was back: %s, want %s", got, want)
	}
}

// Whoever controlled the cluster has gone while a learner joined: the next one
// takes it out when it cannot catch up, and promotes it when it can.
func TestAttachSettlesLearners(t *testing.T) {
	t.Parallel()
	members := newMembers(t, 4)
	startThemselves(t, members[:3])
	var hosts []Host
	var seats []Seat
	for _, m := range members {
		hosts = append(hosts, m)
		seats = append(seats, m.Seat())
	}
	ctx := t.Context()
	c := attach(t, 3, hosts)
	client := newClient(t, c)
	learner := members[3]
	addLearner := func() {
		t.Helper()
		eventually(t, "etcd takes the learner", func() (bool, any) {
			_, err := client.MemberAddAsLearner(ctx, []string{learner.Seat().peerURL()})
			return err == nil, err // An ID that was removed within this second is refused.
		})
	}
	startLearner := func() {
		t.Helper()
		eventually(t, "all have heard of the learner", func() (bool, any) {
			for _, p := range c.all() {
				if list, err := p.line.ownList(ctx); len(list) != 4 {
					return false, err
				}
			}
			return true, nil
		})
		if err := learner.Start(ctx, InitialCluster(seats...), StateJoin); err != nil {
			t.Fatal(err)
		}
		if err := learner.Ready(ctx); err != nil {
			t.Fatal(err)
		}
	}
	const three = "etcd-a1 etcd-b1 etcd-c1"

	addLearner()
	if got := voting(t, attach(t, 3, hosts)); got != three {
		t.Errorf("with a learner that has never run: %s, want %s", got, three)
	}

	addLearner()
	startLearner()
	if err := learner.Stop(ctx); err != nil {
		t.Fatal(err)
	}
	if got := voting(t, attach(t, 3, hosts)); got != three {
		t.Errorf("with a learner that has died: %s, want %s", got, three)
	}

	addLearner()
	startLearner()
	if got, want := voting(t, attach(t, 3, hosts)), three+" etcd-a2"; got != want {
		t.Errorf("with a learner that runs: %s, want %s", got, want)
	}
}

// A member that nobody has a place for means that topology and data do not
// belong together: that is said, not passed over.
func TestAttachRefusesStrangers(t *testing.T) {
	t.Parallel()
	members := newMembers(t, 3)
	startThemselves(t, members[:1])
	for want, hosts := range map[string][]Host{
		"etcd-a1 at " + members[2].Seat().PeerAddr + " is none of its members": {NewMember(MemberConfig{Seat: Seat{
			Name: "etcd-a1", Zone: "a", ClientAddr: members[0].Seat().ClientAddr, PeerAddr: members[2].Seat().PeerAddr,
		}})},
		"it has more members": {members[0]},
	} {
		if strings.HasPrefix(want, "it has") {
			c := attach(t, 1, []Host{members[0], members[1]})
			if err := c.Grow(t.Context(), 2, nil); err != nil {
				t.Fatal(err)
			}
		}
		ctx, cancel := context.WithTimeout(t.Context(), patience)
		_, err := AttachCluster(ctx, ClusterConfig{Members: 1, Host: func(i int) (Host, error) {
			if i >= len(hosts) {
				return nil, errors.New("no such part")
			}
			return hosts[i], nil
		}})
		cancel()
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("attach: %v, want %q", err, want)
		}
	}
}

// Nobody waits for ever for members that never start.
func TestAttachEndsWithItsContext(t *testing.T) {
	t.Parallel()
	members := newMembers(t, 1)
	ctx, cancel := context.WithCancelCause(t.Context())
	why := errors.New("told to end")
	// Late enough for an attempt to be refused, on a busy machine too.
	time.AfterFunc(20*attachPoll, func() { cancel(why) })
	_, err := AttachCluster(ctx, ClusterConfig{Members: 1, Host: func(i int) (Host, error) { return members[i], nil }})
	if !errors.Is(err, why) || !strings.Contains(err.Error(), "refused") {
		t.Errorf("attach to nothing: %v, want %q and that the connection was refused", err, why)
	}
}
