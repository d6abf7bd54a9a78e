package part

import (
	"context"
	"crypto/rand"
	"maps"
	"slices"
	"sync"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"breakbank/platform/fault"
	adminv1 "breakbank/proto/admin/v1"
)

// owedMax bounds the breaks of one part of which nobody knows whether they have
// begun.
const owedMax = 100

// remoteLink is a link in another process.
type remoteLink struct {
	client *Client
	name   string
}

func (l remoteLink) Name() string { return l.name }

// Connections is as last seen.
func (l remoteLink) Connections() int { return l.client.view.Load().links[l.name] }

func (l remoteLink) Blackhole(ctx context.Context) (fault.Hole, error) {
	b, err := l.begin(ctx, &adminv1.BreakLinkRequest{Blackhole: true})
	if err != nil {
		return nil, err
	}
	return b, nil
}

func (l remoteLink) Latency(ctx context.Context, delay, jitter time.Duration, seed uint64) (fault.Delay, error) {
	b, err := l.begin(ctx, &adminv1.BreakLinkRequest{
		Latency: &adminv1.LinkLatency{DelayNs: int64(delay), JitterNs: int64(jitter), Seed: seed},
	})
	if err != nil {
		return nil, err
	}
	return b, nil
}

func (l remoteLink) Reset(ctx context.Context) (int, error) {
	resp, err := call(ctx, l.client, adminv1.PartServiceClient.BreakLink, &adminv1.BreakLinkRequest{Link: l.name, ResetConnections: true})
	return int(resp.GetConnections()), err
}

// begin begins what lasts. If nobody knows whether it has begun, it is mended
// as soon as the part is heard again.
func (l remoteLink) begin(ctx context.Context, req *adminv1.BreakLinkRequest) (*remoteBreak, error) {
	req.Link, req.Id = l.name, rand.Text()
	b := &remoteBreak{client: l.client, id: req.GetId()}
	if err := l.client.breaks.expect(b); err != nil {
		return nil, &Error{l.client.cfg.Name, status.Convert(err)}
	}
	resp, seen, err := callWithin(ctx, l.client, callLimit, adminv1.PartServiceClient.BreakLink, req)
	if err != nil {
		l.client.breaks.forget(b)
		if seen != nil && mayHaveBegun(status.Code(err)) {
			l.client.breaks.owe(b.id, seen.process)
		}
		return nil, err
	}
	l.client.breaks.begun(b, seen.process, int(resp.GetConnections()))
	return b, nil
}

// mayHaveBegun says whether a part that answered so, or did not, may have done
// what it was asked to.
func mayHaveBegun(code codes.Code) bool {
	switch code {
	case codes.InvalidArgument, codes.NotFound, codes.FailedPrecondition, codes.ResourceExhausted, codes.Aborted,
		codes.AlreadyExists, codes.Unauthenticated, codes.PermissionDenied, codes.Unimplemented:
		return false
	}
	return true
}

// remoteBreak is a Hole or a Delay in another process. Its counters are as last
// seen, and stay when that process ends.
type remoteBreak struct {
	client *Client
	id     string

	clearing sync.Mutex // held by whoever clears it

	mu          sync.Mutex
	process     identity // zero until it has begun
	cleared     bool
	connections int
	counts      breakCounts
}

// breakCounts only grow.
type breakCounts struct{ swallowed, established, chunks, heldNs int64 }

func (b *remoteBreak) Connections() int {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.connections
}

func (b *remoteBreak) Swallowed() int64    { return b.counted().swallowed }
func (b *remoteBreak) Established() int64  { return b.counted().established }
func (b *remoteBreak) Chunks() int64       { return b.counted().chunks }
func (b *remoteBreak) Held() time.Duration { return time.Duration(b.counted().heldNs) }

func (b *remoteBreak) counted() breakCounts {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.counts
}

// count takes counters in; messages that overtook each other take nothing back.
func (b *remoteBreak) count(s *adminv1.BreakState) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.cleared {
		return
	}
	b.counts = breakCounts{
		max(b.counts.swallowed, s.GetSwallowed()), max(b.counts.established, s.GetEstablished()),
		max(b.counts.chunks, s.GetChunks()), max(b.counts.heldNs, s.GetHeldNs()),
	}
}

// ended says whether the process in which it began is gone, for certain.
func (b *remoteBreak) ended() bool {
	v := b.client.view.Load()
	b.mu.Lock()
	defer b.mu.Unlock()
	return v.process != b.process || v.ended
}

// Remark says how far the counters can be trusted.
func (b *remoteBreak) Remark() string {
	b.mu.Lock()
	cleared := b.cleared
	b.mu.Unlock()
	switch part := b.client.cfg.Name; {
	case cleared:
		return ""
	case b.ended():
		return "the process of " + part + " has ended since, and its connections with it"
	case !b.client.Reachable():
		return part + " is unreachable; this is what was seen last"
	}
	return ""
}

// Clear mends it. What was broken in a process that has ended is mended.
func (b *remoteBreak) Clear(ctx context.Context) error {
	b.clearing.Lock()
	defer b.clearing.Unlock()
	b.mu.Lock()
	cleared, process := b.cleared, b.process
	b.mu.Unlock()
	if cleared {
		return nil
	}
	if !b.ended() {
		resp, err := call(ctx, b.client, adminv1.PartServiceClient.MendLink, &adminv1.MendLinkRequest{Id: b.id})
		switch {
		case err == nil:
			b.count(resp.GetLast())
			b.mu.Lock()
			b.cleared = true
			b.mu.Unlock()
			b.client.breaks.forget(b)
			return nil
		case status.Code(err) == codes.NotFound, b.ended():
		default:
			return err
		}
	}
	b.client.breaks.forget(b)
	b.client.breaks.owe(b.id, process) // Should the process not be gone after all.
	return nil
}

// remoteBreaks are those that a client has begun in its part. It is safe for
// concurrent use.
type remoteBreaks struct {
	mu    sync.Mutex
	lasts map[string]*remoteBreak
	// owed are breaks that are to be mended as soon as their process is heard.
	owed   map[string]identity
	paying bool
}

// expect makes a break known, so that what is counted of it is taken in from
// the first.
func (r *remoteBreaks) expect(b *remoteBreak) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.owed) >= owedMax {
		return status.Errorf(codes.ResourceExhausted, "%d faults of its links are to be undone first", owedMax)
	}
	if r.lasts == nil {
		r.lasts = map[string]*remoteBreak{}
	}
	r.lasts[b.id] = b
	return nil
}

// begun takes in what the part answered.
func (r *remoteBreaks) begun(b *remoteBreak, in identity, connections int) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.process, b.connections = in, connections
}

func (r *remoteBreaks) forget(b *remoteBreak) {
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.lasts, b.id)
}

// owe remembers that a break is to be mended, should it last.
func (r *remoteBreaks) owe(id string, in identity) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.oweLocked(id, in)
}

// oweLocked is owe for a caller that holds mu.
func (r *remoteBreaks) oweLocked(id string, in identity) {
	if r.owed == nil {
		r.owed = map[string]identity{}
	}
	r.owed[id] = in
}

// take takes in the counters that a process tells, and returns what is owed to
// it, unless somebody is about that already. A break that nobody here has begun is
// what a client left behind whose process was killed: nobody else would mend it.
func (r *remoteBreaks) take(process identity, links []*adminv1.LinkState) []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, l := range links {
		for _, s := range l.GetBreaks() {
			if b := r.lasts[s.GetId()]; b != nil {
				b.count(s)
			} else {
				r.oweLocked(s.GetId(), process)
			}
		}
	}
	maps.DeleteFunc(r.owed, func(_ string, in identity) bool { return in != process })
	if len(r.owed) == 0 || r.paying {
		return nil
	}
	r.paying = true
	return slices.Sorted(maps.Keys(r.owed))
}

// payOff mends what is owed.
func (c *Client) payOff(owed []string) {
	for _, id := range owed {
		_, err := call(c.life, c, adminv1.PartServiceClient.MendLink, &adminv1.MendLinkRequest{Id: id})
		if err != nil && status.Code(err) != codes.NotFound {
			c.cfg.Log.Warn("a fault of a link is still to be undone", "break", id, "error", err)
			break // The next message brings another attempt.
		}
		c.breaks.mu.Lock()
		delete(c.breaks.owed, id)
		c.breaks.mu.Unlock()
	}
	c.breaks.mu.Lock()
	defer c.breaks.mu.Unlock()
	c.breaks.paying = false
}
