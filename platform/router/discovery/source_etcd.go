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
// servers. It connects when it is read, or about to be, and holds no connection
// otherwise.
type Etcd struct {
	endpoints func() []string
	reads     atomic.Int64

	next atomic.Pointer[dialled] // nil: none; who swaps it out closes it
}

// dialled is a connection that waits for its read.
type dialled struct {
	etcd  *clientv3.Client
	taken chan struct{}
}

var _ dialler = (*Etcd)(nil)

// NewEtcd returns a source that asks for etcd's addresses each time it
// connects.
func NewEtcd(endpoints func() []string) *Etcd { return &Etcd{endpoints: endpoints} }

// Info names the source.
func (e *Etcd) Info() SourceInfo { return SourceInfo{Name: "etcd", Direct: true} }

// Close does nothing: every connection ends with what it was opened for.
func (e *Etcd) Close() {}

// Dial opens a connection and keeps it for the next read.
func (e *Etcd) Dial(ctx context.Context) {
	etcd, err := e.open()
	if err != nil {
		return
	}
	etcd.ActiveConnection().Connect()
	dialled := &dialled{etcd: etcd, taken: make(chan struct{})}
	if old := e.next.Swap(dialled); old != nil {
		close(old.taken)
		_ = old.etcd.Close()
	}
	select {
	case <-dialled.taken:
	case <-ctx.Done():
		if e.next.CompareAndSwap(dialled, nil) {
			_ = etcd.Close() // nothing was read over it
		}
	}
}

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
		items[i] = served(raw)
	}
	return revision, items, nil
}

// Zones reads the Nodes, as List does the table.
func (e *Etcd) Zones(ctx context.Context) (map[string]string, error) {
	etcd, err := e.open() // the connection that waits is for the table
	if err != nil {
		return nil, err
	}
	defer etcd.Close()
	e.reads.Add(1)
	raws, _, err := registry.NewStore(etcd).ListRaw(ctx, nodes, registry.ReadOptions{Serializable: true})
	if err != nil {
		return nil, fmt.Errorf("list nodes in etcd: %w", err)
	}
	items := make([]json.RawMessage, len(raws))
	for i, raw := range raws {
		items[i] = raw.JSON
	}
	return zonesOf(items)
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
	// From the revision itself, which is known already: etcd confirms no
	// progress to a watch of what is still to come, and in a quiet registry
	// that would be never.
	events, err := store.Watch(ctx, resource, revision)
	if err != nil {
		return fmt.Errorf("watch etcd: %w", err)
	}
	var heard atomic.Bool
	asking.Go(func() { askProgress(ctx, store, &heard) })
	for event := range events {
		switch event.Type {
		case registry.Put:
			report(Notice{Revision: event.Revision, Item: served(event.Raw), Record: event.Raw.Name})
		case registry.Delete:
			report(Notice{Deleted: true, Revision: event.Revision, Item: tombstone(event.Raw), Record: event.Raw.Name})
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

// connect takes the connection that waits, or opens one.
func (e *Etcd) connect() (*clientv3.Client, error) {
	e.reads.Add(1)
	if dialled := e.next.Swap(nil); dialled != nil {
		close(dialled.taken)
		return dialled.etcd, nil
	}
	return e.open()
}

func (e *Etcd) open() (*clientv3.Client, error) {
	etcd, err := clientv3.New(clientv3.Config{Endpoints: e.endpoints(), DialTimeout: etcdDialTimeout, Logger: zap.NewNop()})
	if err != nil {
		return nil, fmt.Errorf("connect to etcd: %w", err)
	}
	return etcd, nil
}

// served gives an object the resourceVersion that an API server would have
// put in. One too broken for that goes to the parser as it is.
func served(raw registry.Raw) json.RawMessage {
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
