package registry

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"sync"

	"go.etcd.io/etcd/server/v3/storage/wal"
)

// shrinkWAL sets etcd's segment size, which is a variable of its package, once
// and before the first member starts.
var shrinkWAL = sync.OnceFunc(func() { wal.SegmentSizeBytes = walSegmentBytes })

// MemberConfig says what member to run.
type MemberConfig struct {
	Seat Seat
	// Dir holds its data, and nothing else.
	Dir string
	// BindHost is the IP address that it listens at, such as 0.0.0.0 where the
	// seat's addresses are names. Empty: that of the seat's addresses.
	BindHost string
	Log      *slog.Logger // receives etcd's warnings; nil discards them
}

// Member is an etcd server in this process. Its methods are safe for concurrent
// use.
type Member struct {
	cfg MemberConfig

	change chan struct{} // holds an element while somebody starts or stops it
	mu     sync.Mutex
	etcd   *memberServer // nil while stopped
}

// NewMember returns a member that has not been started.
func NewMember(cfg MemberConfig) *Member {
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	return &Member{cfg: cfg, change: make(chan struct{}, 1)}
}

// Seat returns the member's place.
func (m *Member) Seat() Seat { return m.cfg.Seat }

// HasData says whether the member has been part of a cluster, and can start by
// itself.
func (m *Member) HasData() bool { return wal.Exist(filepath.Join(m.cfg.Dir, "member", "wal")) }

// Start runs the member, as Host says. Once etcd starts it cannot be told to
// stop trying; its own limits end it within a minute or so.
func (m *Member) Start(ctx context.Context, initialCluster, state string) error {
	if err := m.acquire(ctx); err != nil {
		return fmt.Errorf("start etcd member %s: %w", m.cfg.Seat.Name, err)
	}
	defer m.release()
	if state != StateJoin && m.Running() {
		return nil
	}
	m.stop() // One that has ended by itself still has its listeners.
	if err := m.start(initialCluster, state); err != nil {
		return fmt.Errorf("start etcd member %s: %w", m.cfg.Seat.Name, err)
	}
	return nil
}

func (m *Member) start(initialCluster, state string) error {
	shrinkWAL()
	if state == StateJoin {
		if err := os.RemoveAll(m.cfg.Dir); err != nil {
			return fmt.Errorf("remove what an earlier attempt left: %w", err)
		}
		state = StateExisting
	}
	clientAddr, err := m.cfg.bindAddr(m.cfg.Seat.ClientAddr)
	if err != nil {
		return err
	}
	peerAddr, err := m.cfg.bindAddr(m.cfg.Seat.PeerAddr)
	if err != nil {
		return err
	}
	cfg, err := m.cfg.server(initialCluster, state, m.HasData())
	if err != nil {
		return err
	}
	etcd, err := startServer(cfg, clientAddr, peerAddr)
	if err != nil {
		return err
	}
	m.mu.Lock()
	m.etcd = etcd
	m.mu.Unlock()
	return nil
}

func (m *Member) acquire(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	select {
	case m.change <- struct{}{}:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("wait for another start or stop: %w", context.Cause(ctx))
	}
}

func (m *Member) release() { <-m.change }

// server returns the member's server, nil while it is stopped.
func (m *Member) server() *memberServer {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.etcd
}

// Running says whether the member runs. One that has ended by itself, such as
// one that found that it had been removed, does not.
func (m *Member) Running() bool {
	etcd := m.server()
	return etcd != nil && !closed(etcd.Server.StopNotify())
}

// Serves says whether the member has joined and serves.
func (m *Member) Serves() bool {
	etcd := m.server()
	return etcd != nil && closed(etcd.Server.ReadyNotify()) && !closed(etcd.Server.StopNotify())
}

func closed(c <-chan struct{}) bool {
	select {
	case <-c:
		return true
	default:
		return false
	}
}

// Ready waits until the member has joined and serves.
func (m *Member) Ready(ctx context.Context) error {
	etcd := m.server()
	if etcd == nil {
		return fmt.Errorf("etcd member %s is stopped", m.cfg.Seat.Name)
	}
	select {
	case <-etcd.Server.ReadyNotify():
		return nil
	case <-etcd.Server.StopNotify():
		return fmt.Errorf("etcd member %s stopped before it was ready", m.cfg.Seat.Name)
	case <-ctx.Done():
		return fmt.Errorf("wait for etcd member %s: %w", m.cfg.Seat.Name, context.Cause(ctx))
	}
}

// Stop ends the member as a crash would: clients lose their connections at
// once, and leadership is not handed over.
func (m *Member) Stop(ctx context.Context) error {
	if err := m.acquire(ctx); err != nil {
		return fmt.Errorf("stop etcd member %s: %w", m.cfg.Seat.Name, err)
	}
	defer m.release()
	m.stop()
	return nil
}

func (m *Member) stop() {
	m.mu.Lock()
	etcd := m.etcd
	m.etcd = nil
	m.mu.Unlock()
	if etcd != nil {
		etcd.stop()
	}
}
