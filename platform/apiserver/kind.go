package apiserver

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"time"

	"go.etcd.io/etcd/api/v3/v3rpc/rpctypes"
	clientv3 "go.etcd.io/etcd/client/v3"
	"go.uber.org/zap"
	"google.golang.org/grpc"
	"google.golang.org/grpc/backoff"

	"breakbank/platform/registry"
)

const (
	// reconnectMax bounds the pause between attempts to reach an etcd member
	// that refuses connections.
	reconnectMax = time.Second
	// minConnectTimeout bounds one attempt to connect.
	minConnectTimeout = 2 * time.Second

	// Keepalives of the modern client: gRPC sends none more often than each
	// ten seconds.
	modernKeepaliveTime    = 10 * time.Second
	modernKeepaliveTimeout = 3 * time.Second

	// feedRetryMin and feedRetryMax bound the pause before a failed list or
	// watch of etcd is tried again.
	feedRetryMin = 100 * time.Millisecond
	feedRetryMax = time.Second

	// bookmarkInterval is how often etcd is asked how far the watch has got.
	// A bookmark goes out when it answers, and only then.
	bookmarkInterval = time.Second
	// progressTimeout bounds how long the request may take to be handed to
	// the connection: there may be none at the moment.
	progressTimeout = 250 * time.Millisecond
)

// kindServer is what the server holds for one kind of object: its connection
// to etcd and its watch cache.
type kindServer struct {
	kind  registry.Kind
	etcd  *clientv3.Client
	store *registry.Store
	cache *cache
	limit time.Duration
	log   *slog.Logger
}

func newKindServer(kind registry.Kind, cfg Config) (*kindServer, error) {
	etcdConfig := clientv3.Config{
		Endpoints: []string{cfg.EtcdEndpoint(kind.Resource)},
		Logger:    zap.NewNop(),
		DialOptions: []grpc.DialOption{grpc.WithConnectParams(grpc.ConnectParams{
			Backoff:           backoff.Config{BaseDelay: feedRetryMin, Multiplier: 1.6, Jitter: 0.2, MaxDelay: reconnectMax},
			MinConnectTimeout: minConnectTimeout,
		})},
	}
	switch cfg.EtcdClient {
	case ClientPinned:
	case ClientModern:
		etcdConfig.Endpoints = strings.Split(etcdConfig.Endpoints[0], ",")
		etcdConfig.DialKeepAliveTime = modernKeepaliveTime
		etcdConfig.DialKeepAliveTimeout = modernKeepaliveTimeout
	default:
		return nil, fmt.Errorf("etcd client %q: want %q or %q", cfg.EtcdClient, ClientPinned, ClientModern)
	}
	etcd, err := clientv3.New(etcdConfig)
	if err != nil {
		return nil, fmt.Errorf("etcd client for %s: %w", kind.Resource, err)
	}
	return &kindServer{
		kind:  kind,
		etcd:  etcd,
		store: registry.NewStore(etcd),
		cache: newCache(),
		limit: cfg.ReadLimit,
		log:   cfg.Log.With("resource", kind.Resource),
	}, nil
}

// feed keeps the cache up to date until the context ends: a list, then a watch
// from there on; another list only when etcd no longer has the events in
// between.
func (k *kindServer) feed(ctx context.Context) {
	pause := feedRetryMin
	for ctx.Err() == nil {
		if err := k.fill(ctx); err != nil {
			if ctx.Err() == nil {
				k.log.Warn("list from etcd failed", "error", err)
			}
			sleep(ctx, pause)
			pause = min(2*pause, feedRetryMax)
			continue
		}
		pause = feedRetryMin
		k.followOn(ctx)
	}
}

// followOn watches etcd, again after each break, until the events that come
// next have been compacted away or the context ends. Meanwhile the server's
// own watchers stay, and hear nothing.
func (k *kindServer) followOn(ctx context.Context) {
	for ctx.Err() == nil {
		err := k.follow(ctx)
		if ctx.Err() != nil {
			return
		}
		k.log.Warn("watch of etcd broke off", "error", err)
		if errors.Is(err, rpctypes.ErrCompacted) {
			return
		}
		sleep(ctx, feedRetryMin)
	}
}

// fill replaces the cache's content by a list from etcd.
func (k *kindServer) fill(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, k.limit)
	defer cancel()
	raws, revision, err := k.store.ListRaw(ctx, k.kind.Resource, registry.ReadOptions{})
	if err != nil {
		return err
	}
	k.cache.replace(k.entries(raws), revision)
	return nil
}

// entries returns what of a list from etcd is served. A record that is no
// object is taken for absent, wherever objects are listed or watched: it must
// not cost the others.
func (k *kindServer) entries(raws []registry.Raw) []entry {
	entries := make([]entry, 0, len(raws))
	for _, raw := range raws {
		e, err := newEntry(raw)
		if err != nil {
			k.log.Error("record in etcd is no object, left out", "error", err)
			continue
		}
		entries = append(entries, e)
	}
	return entries
}

// follow applies etcd's events to the cache until the watch ends, and returns
// why it did.
func (k *kindServer) follow(ctx context.Context) error {
	ctx, cancel := context.WithCancel(ctx)
	// The revision that is known already is watched once more: etcd confirms no
	// progress to a watch that begins in the future, so that in a registry
	// where nothing is written there would be no bookmarks.
	known := k.cache.currentRevision()
	events, err := k.store.Watch(ctx, k.kind.Resource, known)
	if err != nil {
		cancel()
		return err
	}
	defer func() {
		cancel()
		for range events { //nolint:revive // waits for the watch to end
		}
	}()
	bookmark := time.NewTicker(bookmarkInterval)
	defer bookmark.Stop()
	for {
		select {
		case event, open := <-events:
			if !open {
				return errors.New("watch channel closed")
			}
			if event.Type == registry.Error {
				return event.Err
			}
			if event.Revision > known || event.Type == registry.Progress {
				k.apply(event)
			}
		case <-bookmark.C:
			k.requestProgress(ctx)
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

func (k *kindServer) apply(event registry.Event) {
	if event.Type == registry.Progress {
		k.cache.progress(event.Revision)
		return
	}
	e, err := newEntry(event.Raw)
	switch {
	case err != nil:
		k.log.Error("record in etcd is no object, taken for absent", "type", event.Type, "error", err)
		k.forget(event.Raw.Name, event.Revision)
	case event.Type == registry.Delete:
		k.cache.remove(e)
	default:
		k.cache.put(e)
	}
}

// forget removes an object whose last value in etcd cannot be served: it is no
// object, or, of a deletion, has been compacted away. Watchers hear of the
// deletion with the value that the cache holds.
func (k *kindServer) forget(name string, revision int64) {
	// Only the feed, which calls this, changes the cache.
	cached, exists, err := k.cache.get(name)
	if err != nil || !exists {
		return
	}
	last, err := newEntry(registry.Raw{Name: name, Revision: revision, JSON: cached.json})
	if err != nil {
		last = cached // It has been read before, so this does not happen.
		last.revision = revision
	}
	k.cache.remove(last)
}

// requestProgress may fail while there is no connection; the next tick asks
// again.
func (k *kindServer) requestProgress(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, progressTimeout)
	defer cancel()
	if err := k.store.RequestProgress(ctx); err != nil {
		k.log.Debug("no progress from etcd", "error", err)
	}
}

func sleep(ctx context.Context, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
}
