package part

import (
	"context"
	"crypto/rand"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"breakbank/platform/fault"
	adminv1 "breakbank/proto/admin/v1"
)

// Bounds of breaking.
const (
	breaksMax = 1000
	// endedMax is how many breaks are remembered that have ended.
	endedMax    = 1000
	idLengthMax = 64
)

// breaks are what has been done to the links of this process, and lasts.
type breaks struct {
	links map[string]fault.Link
	names []string // sorted

	mu     sync.Mutex // Links of one's own process do not wait.
	lasts  []*oneBreak
	ended  map[string]struct{}
	oldest []string // of ended
}

// oneBreak is a hole or a delay.
type oneBreak struct {
	id, link string
	hole     fault.Hole
	delay    fault.Delay
}

func newBreaks(links map[string]fault.Link) *breaks {
	return &breaks{links: links, names: slices.Sorted(maps.Keys(links)), ended: map[string]struct{}{}}
}

// begin does what is asked for, or nothing.
func (b *breaks) begin(ctx context.Context, req *adminv1.BreakLinkRequest) (*adminv1.BreakLinkResponse, error) {
	link, err := b.check(req)
	if err != nil {
		return nil, err
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if req.GetResetConnections() {
		n, err := link.Reset(ctx)
		if err != nil {
			return nil, failed(err)
		}
		return &adminv1.BreakLinkResponse{Connections: int32(n)}, nil
	}
	id := req.GetId()
	if id == "" {
		id = rand.Text()
	}
	if err := b.refuses(ctx, id); err != nil {
		return nil, err
	}
	one := &oneBreak{id: id, link: req.GetLink()}
	answer := &adminv1.BreakLinkResponse{Id: id}
	if l := req.GetLatency(); l != nil {
		one.delay, err = link.Latency(ctx, time.Duration(l.GetDelayNs()), time.Duration(l.GetJitterNs()), l.GetSeed())
	} else if one.hole, err = link.Blackhole(ctx); err == nil {
		answer.Connections = int32(one.hole.Connections())
	}
	if err != nil {
		return nil, failed(err)
	}
	b.lasts = append(b.lasts, one)
	return answer, nil
}

// check finds the link, unless the request means nothing.
func (b *breaks) check(req *adminv1.BreakLinkRequest) (fault.Link, error) {
	ways := 0
	for _, way := range []bool{req.GetBlackhole(), req.GetResetConnections(), req.GetLatency() != nil} {
		if way {
			ways++
		}
	}
	refuse := func(why string) (fault.Link, error) { return nil, status.Error(codes.InvalidArgument, why) }
	within := func(ns int64) bool { return 0 <= ns && ns <= int64(fault.LatencyMax) }
	switch l := req.GetLatency(); {
	case ways != 1:
		return refuse("exactly one of blackhole, reset_connections and latency must be asked for")
	case len(req.GetId()) > idLengthMax:
		return refuse("the id is too long")
	case !within(l.GetDelayNs()), !within(l.GetJitterNs()):
		return refuse("delay and jitter must be from 0 to " + fault.LatencyMax.String())
	}
	link, known := b.links[req.GetLink()]
	if !known {
		return nil, status.Errorf(codes.NotFound, "no link %q; the links here are: %s", req.GetLink(), strings.Join(b.names, ", "))
	}
	return link, nil
}

// refuses says why something must not begin. The caller holds mu.
func (b *breaks) refuses(ctx context.Context, id string) error {
	if _, over := b.ended[id]; over {
		// Whoever asked has given up and mended it before it came here.
		return status.Errorf(codes.Aborted, "break %q was mended already", id)
	}
	switch {
	case ctx.Err() != nil:
		return status.FromContextError(ctx.Err()).Err()
	case b.find(id) >= 0:
		return status.Errorf(codes.AlreadyExists, "break %q lasts already", id)
	case len(b.lasts) >= breaksMax:
		return status.Errorf(codes.ResourceExhausted, "%d breaks last already", breaksMax)
	}
	return nil
}

func (b *breaks) find(id string) int {
	return slices.IndexFunc(b.lasts, func(one *oneBreak) bool { return one.id == id })
}

// end mends what lasts. One that is not known will not begin any more either.
func (b *breaks) end(ctx context.Context, id string) (*adminv1.MendLinkResponse, error) {
	if id == "" || len(id) > idLengthMax {
		return nil, status.Error(codes.InvalidArgument, "the id of a break must be given")
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	at := b.find(id)
	if at < 0 {
		b.remember(id)
		return nil, status.Errorf(codes.NotFound, "no break %q lasts", id)
	}
	one := b.lasts[at]
	if err := one.clear(ctx); err != nil {
		return nil, failed(err)
	}
	b.lasts = slices.Delete(b.lasts, at, at+1)
	b.remember(id)
	return &adminv1.MendLinkResponse{Last: one.state()}, nil
}

// remember keeps a break from beginning (again). The caller holds mu.
func (b *breaks) remember(id string) {
	if _, known := b.ended[id]; known {
		return
	}
	if len(b.oldest) >= endedMax {
		delete(b.ended, b.oldest[0])
		b.oldest = b.oldest[1:]
	}
	b.ended[id] = struct{}{}
	b.oldest = append(b.oldest, id)
}

// states are the links, and what has been done to them.
func (b *breaks) states() []*adminv1.LinkState {
	b.mu.Lock()
	defer b.mu.Unlock()
	states := make([]*adminv1.LinkState, len(b.names))
	for n, name := range b.names {
		states[n] = &adminv1.LinkState{Name: name, Connections: int32(b.links[name].Connections())}
		for _, one := range b.lasts {
			if one.link == name {
				states[n].Breaks = append(states[n].Breaks, one.state())
			}
		}
	}
	return states
}

func (o *oneBreak) clear(ctx context.Context) error {
	if o.hole != nil {
		return o.hole.Clear(ctx)
	}
	return o.delay.Clear(ctx)
}

func (o *oneBreak) state() *adminv1.BreakState {
	s := &adminv1.BreakState{Id: o.id}
	if o.hole != nil {
		s.Connections, s.Swallowed, s.Established = int32(o.hole.Connections()), o.hole.Swallowed(), o.hole.Established()
		return s
	}
	s.Chunks, s.HeldNs = o.delay.Chunks(), int64(o.delay.Held())
	return s
}
