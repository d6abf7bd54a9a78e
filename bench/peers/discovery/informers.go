package discovery

import (
	"context"
	"fmt"
	"strconv"
	"sync"

	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/cache"

	"breakbank/platform/registry"
	clientgo "breakbank/platform/router/informer"
)

// informerFollower is client-go's shared informer with the handler that a
// client-side balancer has.
type informerFollower struct {
	informer cache.SharedIndexInformer
	handled  cache.ResourceEventHandlerRegistration
	cancel   context.CancelFunc
	running  sync.WaitGroup
}

func startInformer(b bed) (follower, error) {
	// One API server each, as a client behind one address has; with no limit
	// of its own on how often it asks.
	shared, err := clientgo.Shared(rest.Config{Host: b.apiServers()[0], QPS: -1}, nil)
	if err != nil {
		return nil, err
	}
	f := &informerFollower{informer: shared}
	see := func(object any) {
		e, ok := object.(*registry.Endpoints)
		if !ok {
			return
		}
		if revision, err := strconv.ParseInt(e.ResourceVersion, 10, 64); err == nil {
			b.seen.add(e.Name, revision)
		}
	}
	f.handled, err = f.informer.AddEventHandler(cache.ResourceEventHandlerFuncs{
		AddFunc:    see,
		UpdateFunc: func(_, now any) { see(now) },
	})
	if err != nil {
		return nil, fmt.Errorf("client-go: %w", err)
	}
	// It would write to standard error, of watches that end with the run.
	if err := f.informer.SetWatchErrorHandlerWithContext(func(context.Context, *cache.Reflector, error) {}); err != nil {
		return nil, fmt.Errorf("client-go: %w", err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	f.cancel = cancel
	f.running.Go(func() { f.informer.RunWithContext(ctx) })
	return f, nil
}

func (f *informerFollower) synced() bool  { return f.handled.HasSynced() }
func (f *informerFollower) settled() bool { return f.synced() }
func (f *informerFollower) extra() extra  { return extra{} }

func (f *informerFollower) close() {
	f.cancel()
	f.running.Wait()
}
