package discovery

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"sync/atomic"
	"time"
)

const (
	// peerTimeout bounds one question to a peer.
	peerTimeout = 2 * time.Second
	// maxPeerBytes bounds a peer's table: 10,000 services of ten instances are
	// about 10 MB.
	maxPeerBytes = 64 << 20
)

// Peer is a Source that is another router: its table, as its own source told
// it (TableHandler). It is only read while the believed source is in doubt, and
// by arms with the policy gossip.
type Peer struct {
	name   string
	base   string
	client *http.Client
	heard  atomic.Pointer[time.Time] // the HeardAt of the last list
}

var _ Source = (*Peer)(nil)

// NewPeer returns a source for the router whose tables are served below a base
// URL, as BASE/table.
func NewPeer(base string) *Peer {
	base = strings.TrimSuffix(base, "/")
	name := base
	if u, err := url.Parse(base); err == nil && u.Host != "" {
		name = u.Host
	}
	return &Peer{name: "router " + name, base: base, client: &http.Client{
		Timeout:   peerTimeout,
		Transport: &http.Transport{MaxIdleConnsPerHost: 1, IdleConnTimeout: redialAfter},
	}}
}

// Info names the source.
func (p *Peer) Info() SourceInfo { return SourceInfo{Name: p.name, Peer: true} }

// Close drops idle connections.
func (p *Peer) Close() { p.client.CloseIdleConnections() }

// HeardAt is when the peer's own source had last spoken, by this machine's
// clock, at the last list.
func (p *Peer) HeardAt() time.Time {
	if at := p.heard.Load(); at != nil {
		return *at
	}
	return time.Time{}
}

// List returns the peer's table, in records like those of an API server.
func (p *Peer) List(ctx context.Context) (int64, []json.RawMessage, error) {
	answer, err := p.ask(ctx, http.MethodGet, 0)
	if err != nil {
		return 0, nil, fmt.Errorf("list %s: %w", p.name, err)
	}
	items := make([]json.RawMessage, 0, len(answer.services))
	for _, entry := range answer.services {
		item, err := peerRecord(entry)
		if err != nil {
			return 0, nil, fmt.Errorf("list %s: %w", p.name, err)
		}
		items = append(items, item)
	}
	p.heard.Store(&answer.heardAt)
	return answer.revision, items, nil
}

// Watch asks every gossipEvery whether the peer has anything newer than a
// revision, and says so with ErrGone: what it has is a whole table.
func (p *Peer) Watch(ctx context.Context, revision int64, report func(Notice)) error {
	ticker := time.NewTicker(gossipEvery)
	defer ticker.Stop()
	for {
		answer, err := p.ask(ctx, http.MethodHead, revision)
		if err != nil {
			return fmt.Errorf("watch %s: %w", p.name, err)
		}
		if answer.revision > revision {
			return fmt.Errorf("watch %s from %d: it is at %d: %w", p.name, revision, answer.revision, ErrGone)
		}
		report(Notice{Bookmark: true, Revision: answer.revision, HeardAt: answer.heardAt})
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-ticker.C:
		}
	}
}

// peerAnswer is what a peer says of its table.
type peerAnswer struct {
	revision int64
	heardAt  time.Time
	services []Entry
}

func (p *Peer) ask(ctx context.Context, method string, after int64) (peerAnswer, error) {
	q, err := http.NewRequestWithContext(ctx, method, p.base+"/table?after="+strconv.FormatInt(after, 10), nil)
	if err != nil {
		return peerAnswer{}, fmt.Errorf("ask for its table: %w", err)
	}
	asked := time.Now() // the peer's answer is at least as young
	r, err := p.client.Do(q)
	if err != nil {
		return peerAnswer{}, fmt.Errorf("ask for its table: %w", err)
	}
	defer r.Body.Close()
	if r.StatusCode != http.StatusOK && r.StatusCode != http.StatusNotModified {
		return peerAnswer{}, fmt.Errorf("it has no table to offer: %s", r.Status)
	}
	if basis := r.Header.Get(tableBasis); basis != basisSource {
		return peerAnswer{}, fmt.Errorf("its table rests on %q, not on a source", basis)
	}
	revision, err := strconv.ParseInt(r.Header.Get(tableRevision), 10, 64)
	if err != nil {
		return peerAnswer{}, fmt.Errorf("%s %q is no revision", tableRevision, r.Header.Get(tableRevision))
	}
	age, err := strconv.ParseInt(r.Header.Get(tableAge), 10, 64)
	if err != nil || age < 0 {
		return peerAnswer{}, fmt.Errorf("%s %q is no age", tableAge, r.Header.Get(tableAge))
	}
	answer := peerAnswer{revision: revision, heardAt: asked.Add(-time.Duration(age) * time.Millisecond)}
	if method == http.MethodHead || r.StatusCode == http.StatusNotModified {
		return answer, nil
	}
	body := io.LimitReader(r.Body, maxPeerBytes)
	var table peerTable
	if err := json.NewDecoder(body).Decode(&table); err != nil {
		return peerAnswer{}, fmt.Errorf("read its table: %w", err)
	}
	if table.Services == nil {
		return peerAnswer{}, errors.New("read its table: there is none in the answer")
	}
	answer.services = table.Services
	return answer, nil
}

// peerRecord writes an entry as the Endpoints object that it was read from, as
// far as routers read those; a subset an endpoint, because each may have a port
// of its own.
func peerRecord(e Entry) (json.RawMessage, error) {
	type reference struct {
		Name string `json:"name"`
	}
	type address struct {
		IP        string    `json:"ip"`
		TargetRef reference `json:"targetRef"`
		Zone      string    `json:"zone,omitempty"`
	}
	type port struct {
		Port int `json:"port"`
	}
	type subset struct {
		Addresses []address `json:"addresses"`
		Ports     []port    `json:"ports"`
	}
	subsets := make([]subset, 0, len(e.Endpoints))
	for _, ep := range e.Endpoints {
		host, number, err := splitAddress(ep.Addr)
		if err != nil {
			return nil, fmt.Errorf("service %q: %w", e.Service, err)
		}
		subsets = append(subsets, subset{[]address{{host, reference{ep.Instance}, ep.Zone}}, []port{{number}}})
	}
	return json.Marshal(map[string]any{
		"metadata": map[string]string{"name": e.Service, "resourceVersion": strconv.FormatInt(e.Revision, 10)},
		"subsets":  subsets,
	})
}
