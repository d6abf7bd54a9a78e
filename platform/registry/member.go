package registry

import (
	"context"
	"fmt"
	"log/slog"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"

	"go.etcd.io/etcd/server/v3/embed"
	"go.etcd.io/etcd/server/v3/storage/wal"
	"go.uber.org/zap"
	"google.golang.org/grpc"
)

const (
	// Nine members share two cores with the whole bank. etcd's defaults, 100
	// ms and 1 s, then hold elections whenever a member is not scheduled for a
	// second; these keep the ratio of 1:10 that etcd's tuning guide asks for.
	heartbeatMs = 250
	electionMs  = 2500

	// walSegmentBytes replaces 64 MB preallocated twice by each member.
	walSegmentBytes = 4 << 20
	// quotaBytes bounds a member's database and the address space it maps.
	quotaBytes = 256 << 20
	// snapshotEntries bounds the entries that raft keeps in memory.
	snapshotEntries = 5_000
	// keptRevisions is how far back watches and reads may go, checked by etcd
	// every five minutes: beyond any run's window, and bounded in a long one.
	keptRevisions = "100000"

	clusterNew      = embed.ClusterStateFlagNew
	clusterExisting = embed.ClusterStateFlagExisting
)

// shrinkWAL sets etcd's segment size, which is a variable of its package, once
// and before the first member starts.
var shrinkWAL = sync.OnceFunc(func() { wal.SegmentSizeBytes = walSegmentBytes })

// member is one etcd server in this process.
type member struct {
	name, zone           string
	clientAddr, peerAddr string
	dir                  string
	log                  *slog.Logger

	mu      sync.Mutex
	etcd    *embed.Etcd // nil while stopped
	learner bool        // has been added and not been promoted yet
	// clients serves etcd's clients; set by etcd once the member is ready.
	clients atomic.Pointer[grpc.Server]
}

// start runs the member. It returns before the member has joined or serves.
// Not to be called twice at once: Cluster.change sees to that.
func (m *member) start(initialCluster, state string) error {
	if m.running() != nil {
		return nil
	}
	shrinkWAL()
	cfg, err := m.config(initialCluster, state)
	if err != nil {
		return fmt.Errorf("start etcd member %s: %w", m.name, err)
	}
	etcd, err := embed.StartEtcd(cfg)
	if err != nil {
		return fmt.Errorf("start etcd member %s: %w", m.name, err)
	}
	m.mu.Lock()
	m.etcd = etcd
	m.mu.Unlock()
	return nil
}

// running returns the member's server, nil while it is stopped.
func (m *member) running() *embed.Etcd {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.etcd
}

// waitReady waits until the member has joined and serves.
func (m *member) waitReady(ctx context.Context) error {
	etcd := m.running()
	if etcd == nil {
		return fmt.Errorf("etcd member %s is stopped", m.name)
	}
	select {
	case <-etcd.Server.ReadyNotify():
		return nil
	case <-etcd.Server.StopNotify():
		return fmt.Errorf("etcd member %s stopped before it was ready", m.name)
	case <-ctx.Done():
		return fmt.Errorf("wait for etcd member %s: %w", m.name, ctx.Err())
	}
}

// stop ends the member as a crash would: clients lose their connections at
// once, and leadership is not handed over. etcd's own Close would wait ten
// seconds for its watchers to leave, and for ever if the member never became
// ready.
func (m *member) stop() {
	m.mu.Lock()
	etcd := m.etcd
	m.etcd = nil
	m.mu.Unlock()
	if etcd == nil {
		return
	}
	if clients := m.clients.Swap(nil); clients != nil {
		clients.Stop()
	}
	etcd.Server.HardStop()
	etcd.Close()
}

func (m *member) status() MemberStatus {
	m.mu.Lock()
	etcd, learner := m.etcd, m.learner
	m.mu.Unlock()
	status := MemberStatus{Name: m.name, Zone: m.zone, ClientAddr: m.clientAddr, PeerAddr: m.peerAddr, Learner: learner}
	if etcd == nil {
		return status
	}
	server := etcd.Server
	status.Running = true
	status.Leader = server.Leader() == server.MemberID()
	return status
}

func (m *member) config(initialCluster, state string) (*embed.Config, error) {
	clientURL, err := url.Parse("http://" + m.clientAddr)
	if err != nil {
		return nil, fmt.Errorf("client address: %w", err)
	}
	peerURL, err := url.Parse("http://" + m.peerAddr)
	if err != nil {
		return nil, fmt.Errorf("peer address: %w", err)
	}
	cfg := embed.NewConfig()
	cfg.Name = m.name
	cfg.Dir = m.dir
	cfg.ListenClientUrls = []url.URL{*clientURL}
	cfg.AdvertiseClientUrls = cfg.ListenClientUrls
	cfg.ListenPeerUrls = []url.URL{*peerURL}
	cfg.AdvertisePeerUrls = cfg.ListenPeerUrls
	cfg.InitialCluster = initialCluster
	cfg.ClusterState = state
	cfg.TickMs = heartbeatMs
	cfg.ElectionMs = electionMs
	cfg.QuotaBackendBytes = quotaBytes
	cfg.SnapshotCount = snapshotEntries
	cfg.SnapshotCatchUpEntries = snapshotEntries
	cfg.AutoCompactionMode = embed.CompactorModeRevision
	cfg.AutoCompactionRetention = keptRevisions
	// The strict check refuses to add a member unless all voters have been
	// connected for five seconds. It guards against careless operators; Grow
	// waits for each member to be promoted and to serve before the next.
	cfg.StrictReconfigCheck = false
	// What a run stores here need not survive the machine, only the process.
	// Nine members calling fsync would share the disk with the book, whose
	// durability is promised and whose latency is measured.
	cfg.UnsafeNoFsync = true
	cfg.EnableGRPCGateway = false
	// The server must not find a dark connection by its own pings: whether
	// the client notices is what is being shown.
	cfg.GRPCKeepAliveInterval = 0
	cfg.GRPCKeepAliveTimeout = 0
	cfg.GRPCAdditionalServerOptions = []grpc.ServerOption{grpc.WaitForHandlers(true)}
	cfg.ServiceRegister = func(s *grpc.Server) { m.clients.Store(s) }
	cfg.ZapLoggerBuilder = embed.NewZapLoggerBuilder(zap.New(slogCore{log: m.log}))
	return cfg, nil
}

// initialCluster lists the members as etcd's flag of that name does.
func initialCluster(members []*member) string {
	list := make([]string, 0, len(members))
	for _, m := range members {
		list = append(list, m.name+"=http://"+m.peerAddr)
	}
	return strings.Join(list, ",")
}
