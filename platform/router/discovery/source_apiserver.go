package discovery

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"

	"breakbank/platform/apiserver/client"
)

// APIServer is a Source that speaks the Kubernetes dialect.
type APIServer struct {
	name   string
	client *client.Client
}

// NewAPIServer returns a source for the API server at a base URL.
func NewAPIServer(base string) *APIServer {
	name := base
	if u, err := url.Parse(base); err == nil && u.Host != "" {
		name = u.Host
	}
	return &APIServer{name: "apiserver " + name, client: client.New(base)}
}

// Info names the source.
func (a *APIServer) Info() SourceInfo { return SourceInfo{Name: a.name} }

// Close drops idle connections.
func (a *APIServer) Close() { a.client.Close() }

// List reads the registry itself, through the API server; so it hangs when
// that one's connection to the registry is dark.
func (a *APIServer) List(ctx context.Context) (int64, []json.RawMessage, error) {
	list, err := a.client.List(ctx, resource, "")
	if err != nil {
		return 0, nil, err
	}
	return list.ResourceVersion, list.Items, nil
}

// Watch follows the API server's cache.
func (a *APIServer) Watch(ctx context.Context, revision int64, report func(Notice)) error {
	w, err := a.client.Watch(ctx, resource, revision)
	if err != nil {
		return gone(err)
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
			return gone(fmt.Errorf("watch ended: %w", event.Status()))
		default:
			report(Notice{Deleted: event.Type == client.Deleted, Revision: event.ResourceVersion, Item: event.Object})
		}
	}
}

// gone makes the API server's 410 known as ErrGone.
func gone(err error) error {
	var status *client.StatusError
	if errors.As(err, &status) && status.Code == http.StatusGone {
		return fmt.Errorf("%w: %w", ErrGone, err)
	}
	return err
}
