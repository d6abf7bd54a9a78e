package discovery

import (
	"context"
	"fmt"
	"strconv"
	"sync"

	"k8s.io/client-go/informers"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/cache"

	"breakbank/platform/registry"
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
	set, err := kubernetes.NewForConfig(&rest.Config{Host: b.apiServers()[0], QPS: -1})
	if err != nil {
		return nil, fmt.Errorf("client-go: %w", err)
	}
	factory := informers.NewSharedInformerFactoryWithOptions(set, 0, informers.WithNamespace(registry.Namespace))
	f := &informerFollower{informer: factory.Core().V1().Endpoints().Informer()}
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
