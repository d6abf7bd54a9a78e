package registry

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"time"

	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
)

// ErrUnknownMember is returned for a name that no member has.
var ErrUnknownMember = errors.New("no such member")

var errClosed = errors.New("the registry is closed")

// closeLimit bounds how long members may take to stop when the cluster closes.
const closeLimit = 30 * time.Second

// ClusterConfig says what cluster to start, or to attach to.
type ClusterConfig struct {
	Members int // those that it starts with, 1 to MaxMembers
	// Host gives the i-th member in the order of joining, from 0. It is asked
	// at most once for each. Without it members run in this process, each in a
	// directory in Dir and at addresses from Address.
	Host    func(i int) (Host, error)
	Dir     string
	Address func() (string, error) // gives one of 127.0.0.1 that is used by nobody else
	Log     *slog.Logger           // receives warnings, etcd's own too; nil discards them
}

// Cluster is a set of etcd members, wherever they run. Its methods are safe for
// concurrent use; those that change it wait for each other.
type Cluster struct {
	cfg ClusterConfig
	// owned says that the members live and die with the cluster.
	owned bool

	// life ends when the cluster is closed; it ends changes that last.
	life context.Context
	end  context.CancelCauseFunc

	change chan struct{} // holds an element while somebody starts, stops or adds members
	hosts  []Host        // by place, those asked for so far; guarded by change
	closed bool          // guarded by change
	mu     sync.Mutex    // guards peers
	// peers are in the order in which they joined. The slice is never changed
	// in place.
	peers []*peer
}

// MemberStatus is what is known of a member at one moment.
type MemberStatus struct {
	Name       string
	Zone       string
	ClientAddr string // host:port
	PeerAddr   string // host:port
	Leader     bool   // by its own account
	Learner    bool
	Running    bool // by its host's account
	// Answers says whether it serves clients: one that runs and hangs, or has
	// not joined the others yet, does not.
	Answers bool
}

// StartCluster starts the members of a new cluster and returns when all of
// them serve. Close stops them.
func StartCluster(ctx context.Context, cfg ClusterConfig) (*Cluster, error) {
	c, err := newCluster(cfg)
	if err != nil {
		return nil, fmt.Errorf("start registry: %w", err)
	}
	c.owned = true
	if err = c.seatFirst(); err == nil {
		err = c.startAll(ctx)
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("start registry: %w", err), c.Close())
	}
	return c, nil
}

func newCluster(cfg ClusterConfig) (*Cluster, error) {
	if cfg.Members < 1 || cfg.Members > MaxMembers {
		return nil, fmt.Errorf("%d members, want 1 to %d", cfg.Members, MaxMembers)
	}
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	if cfg.Host == nil {
		cfg.Host = cfg.inThisProcess
	}
	c := &Cluster{cfg: cfg, change: make(chan struct{}, 1)}
	c.life, c.end = context.WithCancelCause(context.Background())
	return c, nil
}

// seatFirst takes the members that the cluster starts with.
func (c *Cluster) seatFirst() error {
	for i := range c.cfg.Members {
		if _, err := c.seat(i); err != nil {
			return err
		}
	}
	return nil
}

// seat makes the i-th host a member, as far as this cluster is concerned.
func (c *Cluster) seat(i int) (*peer, error) {
	host, err := c.host(i)
	if err != nil {
		return nil, err
	}
	p, err := newPeer(host)
	if err != nil {
		return nil, err
	}
	c.mu.Lock()
	c.peers = append(c.peers[:len(c.peers):len(c.peers)], p)
	c.mu.Unlock()
	return p, nil
}

func (c *Cluster) host(i int) (Host, error) {
	for len(c.hosts) <= i {
		h, err := c.cfg.Host(len(c.hosts))
		if err != nil {
			return nil, fmt.Errorf("place for %s: %w", MemberPlaces[len(c.hosts)].Name, err)
		}
		c.hosts = append(c.hosts, h)
	}
	return c.hosts[i], nil
}

// startAll starts the members one after the other and waits for all of them. A
// new member asks each of the others whether it has been started before, and
// waits a second for those that listen but do not serve yet: started at once,
// nine would wait eight seconds for each other.
func (c *Cluster) startAll(ctx context.Context) error {
	initial := c.initialCluster()
	for _, p := range c.all() {
		if err := p.host.Start(ctx, initial, StateNew); err != nil {
			return fmt.Errorf("member %s: %w", p.seat.Name, err)
		}
	}
	for _, p := range c.all() {
		if err := p.waitReady(ctx); err != nil {
			return err
		}
	}
	return nil
}

// Members returns all members in the order in which they joined. It does not
// wait for them: what it tells of them is a second old at most, and for
// one that hangs two.
func (c *Cluster) Members() []MemberStatus {
	peers := c.all()
	all := make([]MemberStatus, 0, len(peers))
	for _, p := range peers {
		s := MemberStatus{
			Name: p.seat.Name, Zone: p.seat.Zone, ClientAddr: p.seat.ClientAddr, PeerAddr: p.seat.PeerAddr,
			Learner: p.learner.Load(), Running: p.host.Running(),
		}
		if seen := p.seen.Load(); s.Running {
			s.Answers, s.Leader = seen.answers, seen.leads
		}
		all = append(all, s)
	}
	return all
}

// ClientAddrs returns the addresses (host:port) at which clients reach the
// members that vote, stopped ones included: they may come back.
func (c *Cluster) ClientAddrs() []string {
	var addrs []string
	for _, p := range c.voters() {
		addrs = append(addrs, p.seat.ClientAddr)
	}
	return addrs
}

// StopMember stops a member at once, as a crash would, keeping its data and
// addresses. Stopping a stopped one changes nothing.
func (c *Cluster) StopMember(ctx context.Context, name string) error {
	if err := c.onMember(ctx, name, func(ctx context.Context, p *peer) error { return p.host.Stop(ctx) }); err != nil {
		return fmt.Errorf("stop member: %w", err)
	}
	return nil
}

// StartMember starts a stopped member again on its own data and addresses.
// It returns as soon as the member runs: it serves once there is a quorum,
// which may need further members. Starting a running one changes nothing.
func (c *Cluster) StartMember(ctx context.Context, name string) error {
	initial := c.initialCluster()
	err := c.onMember(ctx, name, func(ctx context.Context, p *peer) error { return p.host.Start(ctx, initial, StateExisting) })
	if err != nil {
		return fmt.Errorf("start member: %w", err)
	}
	return nil
}

// onMember changes one member, while nobody else changes any.
func (c *Cluster) onMember(ctx context.Context, name string, do func(context.Context, *peer) error) error {
	ctx, release, err := c.acquire(ctx)
	if err != nil {
		return err
	}
	defer release()
	all := c.all()
	i := slices.IndexFunc(all, func(p *peer) bool { return p.seat.Name == name })
	if i < 0 {
		return fmt.Errorf("%w: %q", ErrUnknownMember, name)
	}
	all[i].seen.Store(&look{}) // It leads no longer, or not yet.
	if err := do(ctx, all[i]); err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	return nil
}

// acquire waits until nobody else changes the cluster. The context that it
// returns is for the change: it ends with the caller's, and with the cluster.
func (c *Cluster) acquire(ctx context.Context) (_ context.Context, release func(), err error) {
	ctx, cancel := context.WithCancelCause(ctx)
	unlink := context.AfterFunc(c.life, func() { cancel(errClosed) })
	give := func() { unlink(); cancel(nil) }
	if ctx.Err() == nil {
		select {
		case c.change <- struct{}{}:
			release = func() { <-c.change; give() }
			if c.life.Err() == nil {
				return ctx, release, nil
			}
			release()
			return nil, nil, errClosed
		case <-ctx.Done():
		}
	}
	err = context.Cause(ctx)
	give()
	return nil, nil, err
}

// Serves reports, by a linearizable read, whether the cluster has a quorum
// that answers within the context. All members that vote are asked at once: one
// that hangs holds nobody up.
func (c *Cluster) Serves(ctx context.Context) error {
	reading, cancel := context.WithCancel(ctx)
	defer cancel()
	voters := c.voters()
	answers := make(chan error, len(voters))
	for _, p := range voters {
		go func() { answers <- p.readUntil(reading) }()
	}
	served := false
	var refused error
	for range voters {
		if err := <-answers; err == nil {
			served = true
			cancel()
		} else {
			refused = err
		}
	}
	if served {
		return nil
	}
	if ctx.Err() != nil {
		refused = context.Cause(ctx)
	}
	return fmt.Errorf("read from the registry: %w", refused)
}

// readUntil reads from the member, and again for as long as it cannot serve.
func (p *peer) readUntil(ctx context.Context) error {
	again := time.NewTicker(readyPoll)
	defer again.Stop()
	for {
		err := p.line.read(ctx)
		if err == nil || !transient(err) {
			return err
		}
		select {
		case <-again.C:
		case <-ctx.Done():
			return err
		}
	}
}

// Close ends whatever changes the cluster, lets go of the members and waits.
// Those of a cluster that was started
// here stop; those that it was attached to do not.
func (c *Cluster) Close() error {
	ctx, cancel := context.WithTimeout(context.Background(), closeLimit)
	defer cancel()
	c.end(errClosed)
	select {
	case c.change <- struct{}{}:
		defer func() { <-c.change }()
	case <-ctx.Done():
		return fmt.Errorf("close registry: wait for whoever changes it: %w", ctx.Err())
	}
	if c.closed {
		return nil
	}
	c.closed = true
	all := c.all()
	errs := make([]error, len(all))
	var closing sync.WaitGroup
	for i, p := range all {
		closing.Go(func() {
			errs[i] = p.close()
			if c.owned {
				errs[i] = errors.Join(errs[i], p.host.Stop(ctx))
			}
		})
	}
	closing.Wait()
	if err := errors.Join(errs...); err != nil {
		return fmt.Errorf("close registry: %w", err)
	}
	return nil
}

// all returns the members in the order in which they joined.
func (c *Cluster) all() []*peer {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.peers
}

// voters returns the members that are no learners.
func (c *Cluster) voters() []*peer {
	return slices.DeleteFunc(slices.Clone(c.all()), func(p *peer) bool { return p.learner.Load() })
}

func (c *Cluster) initialCluster() string {
	all := c.all()
	seats := make([]Seat, 0, len(all))
	for _, p := range all {
		seats = append(seats, p.seat)
	}
	return InitialCluster(seats...)
}

// ask has one member after the other try what the cluster must agree on, the
// leader first, then those that answer at all, until one has a definite answer.
func (c *Cluster) ask(ctx context.Context, do func(context.Context, pb.ClusterClient) error) error {
	voters := c.voters()
	rank := func(p *peer) int {
		seen := p.seen.Load()
		switch {
		case seen.leads:
			return 0
		case seen.answers:
			return 1
		}
		return 2
	}
	slices.SortStableFunc(voters, func(a, b *peer) int { return rank(a) - rank(b) })
	last := errors.New("no member votes")
	for _, p := range voters {
		err := p.line.change(ctx, do)
		if err == nil || !transient(err) {
			return err
		}
		last = fmt.Errorf("%s: %w", p.seat.Name, err)
		if ctx.Err() != nil {
			break
		}
	}
	return last
}

// list is what the cluster agrees that its members are.
func (c *Cluster) list(ctx context.Context) ([]*pb.Member, error) {
	var members []*pb.Member
	err := c.ask(ctx, func(ctx context.Context, etcd pb.ClusterClient) error {
		resp, err := etcd.MemberList(ctx, &pb.MemberListRequest{Linearizable: true})
		members = resp.GetMembers()
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("list the members: %w", err)
	}
	return members, nil
}

// isAt says whether an entry of etcd's list has a seat. One that has never run
// has no name there.
func isAt(m *pb.Member, s Seat) bool {
	return slices.Contains(m.GetPeerURLs(), s.peerURL())
}
