package discovery

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"net"
	"slices"
	"strconv"
	"sync"
	"time"
)

// staticBookmarkEvery is how often a static source says that nothing has
// changed: as often as an API server.
const staticBookmarkEvery = time.Second

// Addresses is a table as people write it: the addresses (host:port) of each
// service.
type Addresses map[string][]string

// Static is a Source that is told what to say: a table from a file. Its records
// look like an API server's, so that parser and policies meet nothing new. Its
// revision counts the tables that it was given.
type Static struct {
	name string

	mu       sync.Mutex
	table    Addresses
	revision int64
	changed  chan struct{} // closed and replaced at each change
}

var _ Source = (*Static)(nil)

// NewStatic returns a source that says this table until it is told another.
func NewStatic(name string, table Addresses) *Static {
	return &Static{name: name, table: table, revision: 1, changed: make(chan struct{})}
}

// Replace gives the source another table. It may be called from any goroutine.
func (s *Static) Replace(table Addresses) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.table = table
	s.revision++
	close(s.changed)
	s.changed = make(chan struct{})
}

// Info names the source.
func (s *Static) Info() SourceInfo { return SourceInfo{Name: s.name} }

// Close does nothing: a static source holds nothing open.
func (s *Static) Close() {}

// List returns the table.
func (s *Static) List(context.Context) (int64, []json.RawMessage, error) {
	s.mu.Lock()
	table, revision := s.table, s.revision
	s.mu.Unlock()
	items := make([]json.RawMessage, 0, len(table))
	for _, service := range slices.Sorted(maps.Keys(table)) {
		item, err := staticRecord(service, table[service], revision)
		if err != nil {
			return 0, nil, fmt.Errorf("list %s: %w", s.name, err)
		}
		items = append(items, item)
	}
	return revision, items, nil
}

// Watch says each second that nothing has changed. When something has, the
// revision is gone: the list costs nothing here, and the core finds out what is
// different.
func (s *Static) Watch(ctx context.Context, revision int64, report func(Notice)) error {
	ticker := time.NewTicker(staticBookmarkEvery)
	defer ticker.Stop()
	for {
		s.mu.Lock()
		now, changed := s.revision, s.changed
		s.mu.Unlock()
		if now != revision {
			return fmt.Errorf("watch %s from %d: it is at %d: %w", s.name, revision, now, ErrGone)
		}
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-changed:
		case <-ticker.C:
			report(Notice{Bookmark: true, Revision: revision})
		}
	}
}

// staticRecord writes a service as an Endpoints object, a subset an address,
// because each may have a port of its own.
func staticRecord(service string, addresses []string, revision int64) (json.RawMessage, error) {
	type address struct {
		IP string `json:"ip"`
	}
	type port struct {
		Port int `json:"port"`
	}
	type subset struct {
		Addresses []address `json:"addresses"`
		Ports     []port    `json:"ports"`
	}
	subsets := make([]subset, 0, len(addresses))
	for _, written := range addresses {
		host, number, err := splitAddress(written)
		if err != nil {
			return nil, fmt.Errorf("service %q: %w", service, err)
		}
		subsets = append(subsets, subset{[]address{{host}}, []port{{number}}})
	}
	return json.Marshal(map[string]any{
		"metadata": map[string]string{"name": service, "resourceVersion": strconv.FormatInt(revision, 10)},
		"subsets":  subsets,
	})
}

// splitAddress reads host:port.
func splitAddress(written string) (host string, port int, err error) {
	host, digits, err := net.SplitHostPort(written)
	if err != nil {
		return "", 0, fmt.Errorf("%q is not host:port", written)
	}
	port, err = strconv.Atoi(digits)
	if err != nil || port < 1 || port > 65535 || host == "" {
		return "", 0, fmt.Errorf("%q is not host:port", written)
	}
	return host, port, nil
}
