package registry

import (
	"fmt"
	"math"
	"net"
	"net/url"
	"time"

	"go.etcd.io/etcd/client/pkg/v3/types"
	"go.etcd.io/etcd/server/v3/config"
	"go.etcd.io/etcd/server/v3/etcdserver/api/membership"
	"go.etcd.io/etcd/server/v3/etcdserver/api/v3compactor"
	"go.etcd.io/etcd/server/v3/features"
	"go.uber.org/zap"
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
	keptRevisions = 100_000
)

// clusterToken is etcd's default. Cluster and member ids derive from it.
const clusterToken = "etcd-cluster"

// bindAddr is where the member listens for others that reach it at an address.
func (c MemberConfig) bindAddr(addr string) (string, error) {
	host, port, err := net.SplitHostPort(addr)
	switch {
	case err != nil:
		return "", fmt.Errorf("address %q: %w", addr, err)
	case host == "":
		return "", fmt.Errorf("address %q: no host that others reach it at", addr)
	case c.BindHost != "":
		host = c.BindHost
	}
	if host != "localhost" && net.ParseIP(host) == nil {
		return "", fmt.Errorf("address %q: cannot listen at %q, which is no IP address; set a bind host", addr, host)
	}
	return net.JoinHostPort(host, port), nil
}

// server is what etcd is told. Where nothing else is said the values are etcd's
// own defaults, which its server does not fill in by itself.
func (c MemberConfig) server(initialCluster, state string, hasData bool) (config.ServerConfig, error) {
	if state != StateNew && state != StateExisting {
		return config.ServerConfig{}, fmt.Errorf("unknown state %q", state)
	}
	var members types.URLsMap
	token := ""
	if !hasData {
		var err error
		if members, err = types.NewURLsMap(initialCluster); err != nil {
			return config.ServerConfig{}, fmt.Errorf("initial cluster %q: %w", initialCluster, err)
		}
		token = clusterToken
	}
	at := func(hostPort string) []url.URL { return []url.URL{{Scheme: "http", Host: hostPort}} }
	return config.ServerConfig{
		Name:       c.Seat.Name,
		DataDir:    c.Dir,
		ClientURLs: at(c.Seat.ClientAddr),
		PeerURLs:   at(c.Seat.PeerAddr),
		Logger:     zap.New(slogCore{log: c.Log}),

		InitialPeerURLsMap:  members,
		InitialClusterToken: token,
		NewCluster:          state == StateNew,

		TickMs:                     heartbeatMs,
		ElectionTicks:              electionMs / heartbeatMs,
		InitialElectionTickAdvance: true,
		PreVote:                    true,
		MaxLearners:                membership.DefaultMaxLearners,
		// The strict check refuses to add a member unless all voters have been
		// connected for five seconds. It guards against careless operators;
		// Grow waits for each member to be promoted and to serve before the
		// next.
		StrictReconfigCheck: false,

		SnapshotCount:          snapshotEntries,
		SnapshotCatchUpEntries: snapshotEntries,
		MaxSnapFiles:           5,
		MaxWALFiles:            5,
		// What a run stores here need not survive the machine, only the
		// process. Nine members calling fsync would share the disk with the
		// book, whose durability is promised and whose latency is measured.
		UnsafeNoFsync:           true,
		QuotaBackendBytes:       quotaBytes,
		BackendFreelistType:     "hashmap",
		AutoCompactionMode:      v3compactor.ModeRevision,
		AutoCompactionRetention: keptRevisions, // a count, in this mode
		V2Deprecation:           config.V2DeprDefault,

		MaxTxnOps:                   128,
		MaxRequestBytes:             3 << 19, // 1.5 MiB
		MaxConcurrentStreams:        math.MaxUint32,
		WarningApplyDuration:        100 * time.Millisecond,
		WarningUnaryRequestDuration: 300 * time.Millisecond,
		AuthToken:                   "simple",
		BcryptCost:                  10,
		TokenTTL:                    300, // s
		CompactHashCheckTime:        time.Minute,
		DowngradeCheckTime:          5 * time.Second,
		ServerFeatureGate:           features.NewDefaultServerFeatureGate("default", nil),
		Metrics:                     "basic",

		// Zero, as by default: ForceNewCluster, CorruptCheckTime,
		// CompactionBatchLimit, CompactionSleepInterval, BackendBatchLimit,
		// BackendBatchInterval, WatchProgressNotifyInterval,
		// LeaseCheckpointInterval, BootstrapTimeout, MemoryMlock,
		// BootstrapDefragThresholdMegabytes, DedicatedWALDir, LocalAddress,
		// and tracing. Left out, as it belongs to what memberServer does not
		// have: CORS, HostWhitelist (HTTP for clients), DiscoveryCfg, TLS.
	}, nil
}
