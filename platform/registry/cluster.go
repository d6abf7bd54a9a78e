package registry

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"path/filepath"
	"sync"

	clientv3 "go.etcd.io/etcd/client/v3"
	"go.uber.org/zap"
)

// MaxMembers is the largest cluster there is: three members in each of three
// zones, whose quorum of five survives the loss of a zone and one more.
const MaxMembers = 9

// memberPlaces are the members in the order in which they join: first one in
// each zone, then the second ones, then the third ones.
var memberPlaces = [MaxMembers]struct{ name, zone string }{
	{"etcd-a1", "a"},
	{"etcd-b1", "b"},
	{"etcd-c1", "c"},
	{"etcd-a2", "a"},
	{"etcd-b2", "b"},
	{"etcd-c2", "c"},
	{"etcd-a3", "a"},
	{"etcd-b3", "b"},
	{"etcd-c3", "c"},
}

// ErrUnknownMember is returned for a name that no member has.
var ErrUnknownMember = errors.New("no such member")

// ClusterConfig says what cluster to start.
type ClusterConfig struct {
	Dir     string                           // each member gets a directory in it
	Members int                              // 1 to MaxMembers
	Listen  func() (*net.TCPListener, error) // gives a port of 127.0.0.1 that is used by nobody else
	Log     *slog.Logger                     // receives etcd's own warnings; nil discards them
}

// Cluster is a set of etcd members in this process. Its methods are safe for
// concurrent use; those that change it wait for each other.
type Cluster struct {
	cfg   ClusterConfig
	admin *clientv3.Client // for membership changes: knows all voting members

	change sync.Mutex // held by whoever starts, stops or adds members
	mu     sync.Mutex // guards members
	// members are in the order in which they joined. A member's addresses
	// never change.
	members []*member
}

// MemberStatus is what is known of a member at one moment.
type MemberStatus struct {
	Name       string
	Zone       string
	ClientAddr string // host:port
	PeerAddr   string // host:port
	Leader     bool
	Learner    bool
	Running    bool
}

// StartCluster starts the members of a new cluster and returns when all of
// them serve.
func StartCluster(ctx context.Context, cfg ClusterConfig) (*Cluster, error) {
	if cfg.Members < 1 || cfg.Members > MaxMembers {
		return nil, fmt.Errorf("start registry: %d members, want 1 to %d", cfg.Members, MaxMembers)
	}
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	c := &Cluster{cfg: cfg}
	for i := range cfg.Members {
		m, err := c.newMember(i)
		if err != nil {
			return nil, fmt.Errorf("start registry: %w", err)
		}
		c.members = append(c.members, m)
	}
	err := c.startAll(ctx, initialCluster(c.members))
	if err == nil {
		c.admin, err = clientv3.New(clientv3.Config{Endpoints: c.ClientAddrs(), Logger: zap.NewNop()})
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("start registry: %w", err), c.Close())
	}
	return c, nil
}

// startAll starts the members one after the other and waits for all of them. A
// new member asks each of the others whether it has been started before, and
// waits a second for those that listen but do not serve yet: started at once,
// nine would wait eight seconds for each other.
func (c *Cluster) startAll(ctx context.Context, initial string) error {
	for _, m := range c.members {
		if err := m.start(initial, clusterNew); err != nil {
			return err
		}
	}
	for _, m := range c.members {
		if err := m.waitReady(ctx); err != nil {
			return err
		}
	}
	return nil
}

// newMember gives the next member its name and addresses.
func (c *Cluster) newMember(i int) (*member, error) {
	place := memberPlaces[i]
	m := &member{name: place.name, zone: place.zone, dir: filepath.Join(c.cfg.Dir, place.name), log: c.cfg.Log.With("member", place.name)}
	for _, addr := range []*string{&m.clientAddr, &m.peerAddr} {
		// etcd opens its listeners itself, from URLs: all that can be handed
		// over is the number of a port that nobody else will be given.
		l, err := c.cfg.Listen()
		if err != nil {
			return nil, fmt.Errorf("address for %s: %w", place.name, err)
		}
		*addr = l.Addr().String()
		if err := l.Close(); err != nil {
			return nil, fmt.Errorf("address for %s: %w", place.name, err)
		}
	}
	return m, nil
}

// Members returns all members in the order in which they joined.
func (c *Cluster) Members() []MemberStatus {
	c.mu.Lock()
	defer c.mu.Unlock()
	all := make([]MemberStatus, 0, len(c.members))
	for _, m := range c.members {
		all = append(all, m.status())
	}
	return all
}

// ClientAddrs returns the addresses (host:port) at which clients reach the
// members that vote, stopped ones included: they may come back.
func (c *Cluster) ClientAddrs() []string {
	var addrs []string
	for _, m := range c.Members() {
		if !m.Learner {
			addrs = append(addrs, m.ClientAddr)
		}
	}
	return addrs
}

// StopMember stops a member at once, as a crash would, keeping its data and
// addresses. Stopping a stopped one changes nothing.
func (c *Cluster) StopMember(ctx context.Context, name string) error {
	c.change.Lock()
	defer c.change.Unlock()
	m, err := c.member(name)
	if err != nil {
		return fmt.Errorf("stop member: %w", err)
	}
	if err := ctx.Err(); err != nil {
		return fmt.Errorf("stop member %s: %w", name, err)
	}
	m.stop()
	return nil
}

// StartMember starts a stopped member again on its own data and addresses.
// It returns as soon as the member runs: it serves once there is a quorum,
// which may need further members. Starting a running one changes nothing.
func (c *Cluster) StartMember(ctx context.Context, name string) error {
	c.change.Lock()
	defer c.change.Unlock()
	m, err := c.member(name)
	if err != nil {
		return fmt.Errorf("start member: %w", err)
	}
	if err := ctx.Err(); err != nil {
		return fmt.Errorf("start member %s: %w", name, err)
	}
	return m.start(c.initialCluster(), clusterExisting)
}

// Serves reports, by a linearizable read, whether the cluster has a quorum
// that answers within the context.
func (c *Cluster) Serves(ctx context.Context) error {
	if _, err := c.admin.Get(ctx, "/registry/quorum"); err != nil {
		return fmt.Errorf("read from the registry: %w", err)
	}
	return nil
}

// Close stops all members and waits until they are gone.
func (c *Cluster) Close() error {
	c.change.Lock()
	defer c.change.Unlock()
	var err error
	if c.admin != nil {
		err = c.admin.Close()
	}
	c.mu.Lock()
	members := c.members
	c.mu.Unlock()
	var stopping sync.WaitGroup
	for _, m := range members {
		stopping.Go(m.stop)
	}
	stopping.Wait()
	if err != nil {
		return fmt.Errorf("close the registry's own client: %w", err)
	}
	return nil
}

func (c *Cluster) member(name string) (*member, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, m := range c.members {
		if m.name == name {
			return m, nil
		}
	}
	return nil, fmt.Errorf("%w: %q", ErrUnknownMember, name)
}

func (c *Cluster) initialCluster() string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return initialCluster(c.members)
}
