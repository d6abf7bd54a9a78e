package part

import (
	"context"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"google.golang.org/grpc/credentials"

	"breakbank/platform/fault"
	adminv1 "breakbank/proto/admin/v1"
)

// unreachable is what is said of a part that is.
const unreachable = "unreachable"

// DialConfig says where a part is.
type DialConfig struct {
	// Name and Role are the part's: another one that answers at its address is
	// not believed.
	Name, Role string
	// Address is its admin listener's (host:port).
	Address string
	// Credentials go with every call; nil: none.
	Credentials credentials.PerRPCCredentials
	// Log is told when the part comes and goes; nil: nobody is.
	Log *slog.Logger
}

// Client watches a part from when it is dialled until it is closed, and answers
// from what it saw last. Calls to the part wait a little for one that is coming
// back, and for its answer 5 s at most. It is safe for concurrent use.
type Client struct {
	cfg    DialConfig
	life   context.Context
	cancel context.CancelFunc
	work   sync.WaitGroup

	// view and changed are set by the goroutine that watches.
	view    atomic.Pointer[view]
	changed atomic.Pointer[chan struct{}] // closed and replaced at each change
	breaks  remoteBreaks
}

// Dial begins to watch a part, which need not be there yet.
func Dial(cfg DialConfig) *Client {
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	c := &Client{cfg: cfg}
	c.life, c.cancel = context.WithCancel(context.Background())
	c.view.Store(&view{lost: "it has not been met yet"})
	changed := make(chan struct{})
	c.changed.Store(&changed)
	c.work.Go(c.follow)
	return c
}

// Close stops watching, and waits until it has. Calls under way fail.
func (c *Client) Close() {
	c.cancel()
	c.work.Wait()
}

// Name is the part's.
func (c *Client) Name() string { return c.cfg.Name }

// Reachable says whether the part has been heard within the last seconds.
func (c *Client) Reachable() bool { return c.view.Load().reachable() }

// PID is the number of the process that was seen last, on its own machine; 0
// before the first.
func (c *Client) PID() int64 { return c.view.Load().process.pid }

// StartedAt is when that process started; zero before the first.
func (c *Client) StartedAt() time.Time {
	if p := c.view.Load().process; p != (identity{}) {
		return time.Unix(0, p.startedAt).UTC()
	}
	return time.Time{}
}

// Incarnation counts the processes that have been seen, from 1; 0 before the
// first. One that lived too shortly to be seen is not counted.
func (c *Client) Incarnation() int64 { return c.view.Load().incarnation }

// Generation names the settings that the process seen last runs with.
func (c *Client) Generation() string { return c.view.Load().generation }

// Unready says in a clause why the part is not ready; "" when it is.
func (c *Client) Unready() string {
	v := c.view.Load()
	if !v.reachable() {
		return unreachable
	}
	return v.unready
}

// Changed is closed when the part is next heard, or lost. Take it before
// looking, or a change in between is missed.
func (c *Client) Changed() <-chan struct{} { return *c.changed.Load() }

// Member is the part's etcd member. While the part is unreachable it does not
// run.
func (c *Client) Member() Member { return remoteMember{c} }

// APIServer is the part's API server. While the part is unreachable it is not
// ready.
func (c *Client) APIServer() APIServer { return remoteAPIServer{c} }

// Node is the part's node. While the part is unreachable its router does not
// run, and its instances, as last seen, are not ready. The router's incarnation
// goes on growing when the part has another process.
func (c *Client) Node() Node { return remoteNode{c} }

// Links are the part's links as last seen, by name.
func (c *Client) Links() map[string]fault.Link {
	v := c.view.Load()
	links := make(map[string]fault.Link, len(v.links))
	for name := range v.links {
		links[name] = remoteLink{c, name}
	}
	return links
}

// SearchLogs looks for a text in the latest lines of the part's logs.
func (c *Client) SearchLogs(ctx context.Context, part, text string) (*adminv1.SearchLogsResponse, error) {
	return call(ctx, c, adminv1.PartServiceClient.SearchLogs, &adminv1.SearchLogsRequest{Part: part, Text: text})
}

// End has the part end its process, and returns when it has agreed to.
func (c *Client) End(ctx context.Context, req *adminv1.EndPartRequest) error {
	_, err := call(ctx, c, adminv1.PartServiceClient.EndPart, req)
	return err
}

// show makes a view the one that answers are given from. It is called by the
// goroutine that watches.
func (c *Client) show(v *view) {
	c.view.Store(v)
	next := make(chan struct{})
	close(*c.changed.Swap(&next))
}
