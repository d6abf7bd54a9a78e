package discovery

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"go.etcd.io/etcd/api/v3/v3rpc/rpctypes"
	clientv3 "go.etcd.io/etcd/client/v3"
	"go.uber.org/zap"

	"breakbank/platform/registry"
)

const (
	// etcdProgressEvery is how often etcd is asked how far it is: as often as
	// API servers send bookmarks.
	etcdProgressEvery = time.Second
	// etcdProgressFirst is how often it is asked until it has answered once:
	// while a watch catches up, etcd drops the question, and a router that
	// starts in the dark waits for nothing but this.
	etcdProgressFirst = 50 * time.Millisecond
	// etcdDialTimeout bounds one connection attempt.
	etcdDialTimeout = 2 * time.Second
)

// Etcd is the Source of last resort: the registry itself, past all API
// servers. It connects when it is read and holds no connection otherwise.
type Etcd struct {
	endpoints func() []string
	reads     atomic.Int64
}

// NewEtcd returns a source that asks for etcd's addresses each time it
// connects.
func NewEtcd(endpoints func() []string) *Etcd { return &Etcd{endpoints: endpoints} }

// Info names the source.
func (e *Etcd) Info() SourceInfo { return SourceInfo{Name: "etcd", Direct: true} }

// Close does nothing: every read brings and closes its own connection.
func (e *Etcd) Close() {}

// Reads counts the lists and watches begun so far.
func (e *Etcd) Reads() int64 { return e.reads.Load() }

// List reads from whichever member answers, without asking the others, so
// that it works without a quorum and costs the registry the least.
func (e *Etcd) List(ctx context.Context) (int64, []json.RawMessage, error) {
	etcd, err := e.connect()
	if err != nil {
		return 0, nil, err
	}
	defer etcd.Close()
	raws, revision, err := registry.NewStore(etcd).ListRaw(ctx, resource, registry.ReadOptions{Serializable: true})
	if err != nil {
		return 0, nil, fmt.Errorf("list etcd: %w", err)
	}
	items := make([]json.RawMessage, len(raws))
	for i, raw := range raws {
		items[i] = record(raw)
	}
	return revision, items, nil
}

// Watch follows etcd, with its progress notices for bookmarks.
func (e *Etcd) Watch(ctx context.Context, revision int64, report func(Notice)) error {
	etcd, err := e.connect()
	if err != nil {
		return err
	}
	defer etcd.Close()
	ctx, cancel := context.WithCancel(ctx)
	var asking sync.WaitGroup
	defer asking.Wait()
	defer cancel()

	store := registry.NewStore(etcd)
	events, err := store.Watch(ctx, resource, revision+1)
	if err != nil {
		return fmt.Errorf("watch etcd: %w", err)
	}
	var heard atomic.Bool
	asking.Go(func() { askProgress(ctx, store, &heard) })
	for event := range events {
		switch event.Type {
		case registry.Put:
			report(Notice{Revision: event.Revision, Item: record(event.Raw)})
		case registry.Delete:
			report(Notice{Deleted: true, Revision: event.Revision, Item: tombstone(event.Raw)})
		case registry.Progress:
			heard.Store(true)
			report(Notice{Bookmark: true, Revision: event.Revision})
		case registry.Error:
			if errors.Is(event.Err, rpctypes.ErrCompacted) {
				return fmt.Errorf("%w: %w", ErrGone, event.Err)
			}
			return fmt.Errorf("watch etcd: %w", event.Err)
		}
	}
	return fmt.Errorf("watch etcd: ended: %w", context.Cause(ctx))
}

// askProgress asks how far etcd is, often until it is heard and regularly from
// then on. An error means that there is no watch to ask about, which the watch
// itself reports.
func askProgress(ctx context.Context, store *registry.Store, heard *atomic.Bool) {
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-timer.C:
		}
		_ = store.RequestProgress(ctx)
		if heard.Load() {
			timer.Reset(etcdProgressEvery)
		} else {
			timer.Reset(etcdProgressFirst)
		}
	}
}

func (e *Etcd) connect() (*clientv3.Client, error) {
	e.reads.Add(1)
	etcd, err := clientv3.New(clientv3.Config{Endpoints: e.endpoints(), DialTimeout: etcdDialTimeout, Logger: zap.NewNop()})
	if err != nil {
		return nil, fmt.Errorf("connect to etcd: %w", err)
	}
	return etcd, nil
}

// record gives an object the resourceVersion that an API server would have
// put in. One too broken for that goes to the parser as it is.
func record(raw registry.Raw) json.RawMessage {
	if versioned, err := raw.WithRevision(); err == nil {
		return versioned
	}
	return raw.JSON
}

// tombstone is a record that says no more than whose it was.
func tombstone(raw registry.Raw) json.RawMessage {
	name, err := json.Marshal(raw.Name)
	if err != nil {
		return raw.JSON
	}
	return fmt.Appendf(nil, `{"metadata":{"name":%s}}`, name)
}
