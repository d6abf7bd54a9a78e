package discovery

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"sync"
	"time"

	"breakbank/platform/apiserver/client"
)

// maxRetryAfter bounds how long an API server is left alone because it asked
// for it: no longer than by our own backoff.
const maxRetryAfter = backoffMax

// APIServer is a Source that speaks the Kubernetes dialect.
type APIServer struct {
	name   string
	every  time.Duration // its bookmarks, as far as is known; 0: as ours
	client *client.Client

	mu        sync.Mutex
	notBefore time.Time // it asked to be left alone until then
}

// NewAPIServer returns a source for an API server at a base URL that asks
// nobody who they are.
func NewAPIServer(base string) *APIServer { return newAPIServer(base, client.New(base)) }

// NewAPIServerWith returns a source for any Kubernetes API server. It fails if
// a file that the options name cannot be used. A router that reads a namespace
// other than registry.Namespace needs a parser that is at home there
// (Parser.In). It is expected to send a bookmark a minute, as Kubernetes' own
// do, until it has been heard to be quicker.
func NewAPIServerWith(base string, o client.Options) (*APIServer, error) {
	c, err := client.NewWith(base, o)
	if err != nil {
		return nil, err
	}
	a := newAPIServer(base, c)
	a.every = kubernetesBookmarkEvery
	return a, nil
}

func newAPIServer(base string, c *client.Client) *APIServer {
	name := base
	if u, err := url.Parse(base); err == nil && u.Host != "" {
		name = u.Host
	}
	return &APIServer{name: "apiserver " + name, client: c}
}

// Info names the source.
func (a *APIServer) Info() SourceInfo { return SourceInfo{Name: a.name, BookmarkEvery: a.every} }

// Close drops idle connections.
func (a *APIServer) Close() { a.client.Close() }

// List reads the registry itself, through the API server; so it hangs when
// that one's connection to the registry is dark.
func (a *APIServer) List(ctx context.Context) (int64, []json.RawMessage, error) {
	if err := a.rest(ctx); err != nil {
		return 0, nil, err
	}
	list, err := a.client.List(ctx, resource, "")
	if err != nil {
		return 0, nil, a.failed(err)
	}
	return list.ResourceVersion, list.Items, nil
}

// Watch follows the API server's cache.
func (a *APIServer) Watch(ctx context.Context, revision int64, report func(Notice)) error {
	if err := a.rest(ctx); err != nil {
		return err
	}
	w, err := a.client.Watch(ctx, resource, revision)
	if err != nil {
		return a.failed(err)
	}
	defer w.Close()
	for {
		event, err := w.Next()
		if err != nil {
			return fmt.Errorf("watch ended: %w", err)
		}
		switch event.Type {
		case client.Bookmark:
			report(Notice{Bookmark: true, Revision: event.ResourceVersion})
		case client.Error:
			return a.failed(fmt.Errorf("watch ended: %w", event.Status()))
		case client.Added, client.Modified, client.Deleted:
			report(Notice{
				Deleted: event.Type == client.Deleted, Revision: event.ResourceVersion,
				Item: event.Object, Record: event.Namespace + "/" + event.Name,
			})
		}
	}
}

// Zones reads the API server's cache of the Nodes: where they are is not worth
// asking the registry for.
func (a *APIServer) Zones(ctx context.Context) (map[string]string, error) {
	if err := a.rest(ctx); err != nil {
		return nil, err
	}
	list, err := a.client.ListMetadata(ctx, nodes, fromCache)
	if err != nil {
		return nil, a.failed(err)
	}
	return zonesOf(list.Items)
}

// failed makes the API server's 410 known as ErrGone, and remembers its wish to
// be left alone. The failure itself is told at once: there are other sources.
func (a *APIServer) failed(err error) error {
	var status *client.StatusError
	if !errors.As(err, &status) {
		return err
	}
	if status.RetryAfter > 0 {
		a.mu.Lock()
		a.notBefore = time.Now().Add(min(status.RetryAfter, maxRetryAfter))
		a.mu.Unlock()
	}
	if status.Code == http.StatusGone {
		return fmt.Errorf("%w: %w", ErrGone, err)
	}
	return err
}

// rest waits until the API server may be asked again.
func (a *APIServer) rest(ctx context.Context) error {
	a.mu.Lock()
	left := time.Until(a.notBefore)
	a.mu.Unlock()
	if left <= 0 {
		return nil
	}
	timer := time.NewTimer(left)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("%s asked to be left alone: %w", a.name, ctx.Err())
	}
}
