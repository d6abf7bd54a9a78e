// Package informer keeps a data plane's table with a shared informer of
// client-go, which is how most software finds the instances of a Service in
// Kubernetes. What it believes, when it lists and how it retries is client-go's
// own doing; here its events become entries of a table.
//
// Until the first list is complete there is no table: client-go's users wait
// for HasSynced. An error keeps what is known. Nothing here notices a watch
// that is silent because its API server is in the dark.
package informer

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/go-logr/logr"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/cache"
	"k8s.io/klog/v2"

	"breakbank/platform/registry"
	"breakbank/platform/router/discovery"
)

const (
	// tickEvery is how often it is looked whether the informer has synced, and
	// when it was last heard.
	tickEvery = 100 * time.Millisecond
	// eventQueue bounds what client-go has told and the table has not yet;
	// beyond it client-go keeps it.
	eventQueue = 256
	// dialTimeout bounds one attempt to connect to one API server.
	dialTimeout = 2 * time.Second
)

// Config says what to follow, and who is told.
type Config struct {
	// APIServers are base URLs. They stand for one address with several
	// servers behind it, as a cluster has it: the first that takes the
	// connection gets it.
	APIServers []string
	// Apply takes the table's changes and the state after them. It is called
	// from one goroutine and must not wait.
	Apply func(changes []discovery.Publish, state discovery.State)
	Log   *slog.Logger
}

// Informer follows Endpoints until it is closed.
type Informer struct {
	config  Config
	shared  cache.SharedIndexInformer
	events  chan event
	heardAt atomic.Int64 // Unix nanoseconds, 0 never
	idle    func()       // drops idle connections
	cancel  context.CancelFunc
	work    sync.WaitGroup
}

// event is one thing that client-go told.
type event struct {
	entry   discovery.Entry
	removed bool
}

// Start starts an informer. The caller closes it.
func Start(c Config) (*Informer, error) {
	if len(c.APIServers) == 0 {
		return nil, errors.New("client-go informer: no API server to follow")
	}
	i := &Informer{config: c, events: make(chan event, eventQueue)}
	transport := &http.Transport{DialContext: dialAny(c.APIServers)}
	i.idle = transport.CloseIdleConnections
	var err error
	i.shared, err = Shared(rest.Config{Host: c.APIServers[0]}, &http.Client{Transport: &listening{transport, &i.heardAt}})
	if err != nil {
		return nil, fmt.Errorf("client-go informer: %w", err)
	}
	ctx, cancel := context.WithCancel(klog.NewContext(context.Background(), logr.FromSlogHandler(c.Log.Handler())))
	i.cancel = cancel
	handler, err := i.shared.AddEventHandler(cache.ResourceEventHandlerFuncs{
		AddFunc:    func(obj any) { i.tell(ctx, obj, false) },
		UpdateFunc: func(_, obj any) { i.tell(ctx, obj, false) },
		DeleteFunc: func(obj any) { i.tell(ctx, obj, true) },
	})
	if err != nil {
		cancel()
		return nil, fmt.Errorf("client-go informer: %w", err)
	}
	i.work.Go(func() { i.shared.RunWithContext(ctx) })
	i.work.Go(func() { i.run(ctx, handler.HasSynced) })
	return i, nil
}

// Close stops everything and waits for it.
func (i *Informer) Close() {
	i.cancel()
	i.work.Wait()
	i.idle()
}

// tell takes what client-go says and waits until it is taken up.
func (i *Informer) tell(ctx context.Context, obj any, removed bool) {
	if last, ok := obj.(cache.DeletedFinalStateUnknown); ok {
		obj = last.Obj
	}
	record, ok := obj.(*registry.Endpoints)
	if !ok {
		return
	}
	select {
	case i.events <- event{entryOf(record), removed}:
	case <-ctx.Done():
	}
}

// run hands on what was told, in as few changes as there is time for. What
// comes before the informer has synced is kept back.
func (i *Informer) run(ctx context.Context, hasSynced func() bool) {
	tick := time.NewTicker(tickEvery)
	defer tick.Stop()
	var pending []event
	synced := false
	for {
		select {
		case <-ctx.Done():
			return
		case e := <-i.events:
			pending = append(pending, e)
			for more := true; more; {
				select {
				case e := <-i.events:
					pending = append(pending, e)
				default:
					more = false
				}
			}
		case <-tick.C:
		}
		// HasSynced counts what the handler has been told; the events of it
		// are in the queue before it says so. The list's revision is known
		// only after that.
		if !synced && (!hasSynced() || len(i.events) > 0 || i.shared.LastSyncResourceVersion() == "") {
			i.config.Apply(nil, i.state(false))
			continue
		}
		synced = true
		i.config.Apply(changesOf(pending), i.state(true))
		pending = nil
	}
}

// changesOf keeps the last word on each service.
func changesOf(events []event) []discovery.Publish {
	if len(events) == 0 {
		return nil
	}
	var change discovery.Publish
	said := map[string]bool{}
	for _, e := range slices.Backward(events) {
		switch name := e.entry.Service; {
		case said[name]:
		case e.removed:
			change.Removed = append(change.Removed, name)
			said[name] = true
		default:
			change.Entries = append(change.Entries, e.entry)
			said[name] = true
		}
	}
	return []discovery.Publish{change}
}

func (i *Informer) state(synced bool) discovery.State {
	s := discovery.State{Source: "client-go", Synced: synced, Detail: "listing with client-go"}
	if at := i.heardAt.Load(); at > 0 {
		s.HeardAt = time.Unix(0, at)
	}
	if synced {
		s.Basis, s.Detail = discovery.FromSource, "watching with client-go"
		// It is opaque to clients; of our API servers it is etcd's revision.
		s.Revision, _ = strconv.ParseInt(i.shared.LastSyncResourceVersion(), 10, 64)
	}
	return s
}

// entryOf is a record as an entry, its addresses in order.
func entryOf(record *registry.Endpoints) discovery.Entry {
	e := discovery.Entry{Service: record.Name}
	e.Revision, _ = strconv.ParseInt(record.ResourceVersion, 10, 64)
	for _, subset := range record.Subsets {
		for _, address := range subset.Addresses {
			for _, port := range subset.Ports {
				ep := discovery.Endpoint{Addr: net.JoinHostPort(address.IP, strconv.Itoa(int(port.Port)))}
				if address.TargetRef != nil {
					ep.Instance = address.TargetRef.Name
				}
				e.Endpoints = append(e.Endpoints, ep)
			}
		}
	}
	slices.SortFunc(e.Endpoints, func(a, b discovery.Endpoint) int { return strings.Compare(a.Addr, b.Addr) })
	return e
}

// dialAny connects to the first of the servers that takes the connection,
// whatever address was asked for.
func dialAny(bases []string) func(context.Context, string, string) (net.Conn, error) {
	return func(ctx context.Context, network, _ string) (net.Conn, error) {
		dialer := net.Dialer{Timeout: dialTimeout}
		var errs []error
		for _, base := range bases {
			u, err := url.Parse(base)
			if err == nil {
				var conn net.Conn
				if conn, err = dialer.DialContext(ctx, network, u.Host); err == nil {
					return conn, nil
				}
			}
			errs = append(errs, err)
		}
		return nil, errors.Join(errs...)
	}
}
