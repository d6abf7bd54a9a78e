package cluster

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"path/filepath"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"breakbank/platform/book"
	"breakbank/platform/events"
	"breakbank/platform/rpc"
)

// bookStopLimit bounds how long calls may still run when the book closes.
const bookStopLimit = 2 * time.Second

// bookRole is the role "book": the stores, the server in front of them, and
// the relays that publish their journals.
type bookRole struct {
	address string
	stores  map[string]book.Store
	opened  map[string]*book.Pebble
	relays  []*book.Relay
	server  *rpc.Server
	serving sync.WaitGroup
	// over is closed when nobody is served any more.
	over chan struct{}
	log  *slog.Logger
}

type bookRoleConfig struct {
	Dir      string
	Listener net.Listener
	Bank     Bank
	Options  book.Options
	NATSURL  string
	// AccessLog has the book log each call.
	AccessLog bool
	Log       *slog.Logger
}

// startBookRole opens and seeds the stores and serves them.
func startBookRole(ctx context.Context, c bookRoleConfig) (*bookRole, error) {
	r := &bookRole{address: c.Listener.Addr().String(), stores: map[string]book.Store{}, opened: map[string]*book.Pebble{}, over: make(chan struct{}), log: c.Log}
	for _, name := range c.Bank.Stores {
		store, err := book.OpenPebble(filepath.Join(c.Dir, name), c.Options)
		if err != nil {
			return nil, errors.Join(fmt.Errorf("store %s: %w", name, err), r.Close())
		}
		r.opened[name], r.stores[name] = store, store
	}
	seeding, ctx := errgroup.WithContext(ctx)
	for name, store := range r.opened {
		seeding.Go(func() error {
			if err := store.Seed(ctx, c.Bank.Seed(name)); err != nil {
				return fmt.Errorf("seed store %s: %w", name, err)
			}
			return nil
		})
	}
	if err := seeding.Wait(); err != nil {
		return nil, errors.Join(err, r.Close())
	}
	for _, name := range c.Bank.Published {
		r.relays = append(r.relays, book.StartRelay(book.RelayConfig{
			Name: name, Store: r.opened[name], Log: c.Log,
			Open: func(ctx context.Context) (book.Outlet, error) { return events.OpenOutlet(ctx, c.NATSURL) },
		}))
	}
	r.server = book.NewServer(book.ServerConfig{Listener: c.Listener, Stores: r.stores, AccessLog: c.AccessLog, Log: c.Log})
	r.serving.Go(func() {
		defer close(r.over)
		if err := r.server.Serve(); err != nil {
			c.Log.Error("serving the book", "error", err)
		}
	})
	return r, nil
}

// Address is where the book is served.
func (r *bookRole) Address() string { return r.address }

// Close stops serving and publishing, and closes the stores.
func (r *bookRole) Close() error {
	var errs []error
	if r.server != nil {
		ctx, cancel := context.WithTimeout(context.Background(), bookStopLimit)
		defer cancel()
		errs = append(errs, r.server.Drain(ctx))
		r.serving.Wait()
	}
	for _, relay := range r.relays {
		relay.Stop()
	}
	for _, store := range r.stores {
		errs = append(errs, store.Close())
	}
	return errors.Join(errs...)
}
