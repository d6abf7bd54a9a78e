package discovery

import (
	"context"
	"fmt"
	"sync"
	"time"

	"google.golang.org/grpc/codes"

	"breakbank/loadgen/transport"
	"breakbank/platform/registry"
)

// writersMax bounds the writes under way: etcd takes a few milliseconds for
// one, so that a thousand a second need several at a time.
const writersMax = 32

// etcdWrites is a transport.Transport that writes into etcd: a call's Shard is an
// index into commits, its Request what is written.
type etcdWrites struct {
	ctx     context.Context // ends every write
	store   *registry.Store
	commits []commit
	queue   chan *transport.Call
	writers sync.WaitGroup
	close   sync.Once
}

// newEtcdWrites starts the writers. As many calls may be begun as there are
// commits.
func newEtcdWrites(ctx context.Context, store *registry.Store, commits []commit) *etcdWrites {
	t := &etcdWrites{ctx: ctx, store: store, commits: commits, queue: make(chan *transport.Call, len(commits))}
	for range min(writersMax, len(commits)) {
		t.writers.Go(func() {
			for c := range t.queue {
				t.write(c)
			}
		})
	}
	return t
}

// write performs one call.
func (t *etcdWrites) write(c *transport.Call) {
	out := &t.commits[c.Shard]
	c.SentAt, c.Fate, c.Code, c.Message = time.Now(), transport.Answered, codes.OK, ""
	ctx, cancel := context.WithDeadline(t.ctx, c.Deadline)
	revision, err := t.store.PutRaw(ctx, resource, out.Service, c.Request)
	cancel()
	if err != nil {
		c.Fate, c.Code, c.Message = transport.Lost, codes.Unavailable, fmt.Sprintf("change %s: %v", out.Service, err)
	}
	out.Written, out.Committed, out.Revision = c.SentAt.UnixNano(), time.Now().UnixNano(), revision
	var b transport.Batch
	c.Owner.Done(&b, c)
	b.Flush()
}

// Begin implements transport.Transport. The queue has room for all of them.
func (t *etcdWrites) Begin(_ *transport.Batch, c *transport.Call) { t.queue <- c }

// Settle implements transport.Transport.
func (*etcdWrites) Settle(context.Context) error { return nil }

// GiveUp implements transport.Transport: the end of the context has done it.
func (*etcdWrites) GiveUp() {}

// Close implements transport.Transport.
func (t *etcdWrites) Close() {
	t.close.Do(func() { close(t.queue) })
	t.writers.Wait()
}
