package part

import (
	"context"
	"fmt"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	adminv1 "breakbank/proto/admin/v1"
)

const (
	// callLimit bounds a call to a part, and what it waits for before.
	callLimit = 5 * time.Second
	// memberLimit is the same for those that start or stop an etcd member,
	// which writes files.
	memberLimit = 15 * time.Second
	// returnLimit is how long a call waits for a part that has been met, and is
	// unreachable now.
	returnLimit = time.Second
	// shownLimit bounds the wait until what was done is seen.
	shownLimit = time.Second
)

// Error is why a call to a part failed. It has a gRPC status.
type Error struct {
	// Part is its name.
	Part   string
	status *status.Status
}

func (e *Error) Error() string { return e.Part + ": " + e.status.Message() }

// GRPCStatus is for package status.
func (e *Error) GRPCStatus() *status.Status { return e.status }

// call makes a call within callLimit.
func call[Req, Resp any](
	ctx context.Context, c *Client,
	method func(adminv1.PartServiceClient, context.Context, *Req, ...grpc.CallOption) (*Resp, error), req *Req,
) (*Resp, error) {
	resp, _, err := callWithin(ctx, c, callLimit, method, req)
	return resp, err
}

// act makes a call that tells the part to do something, and waits until what it
// did is seen.
func act[Req any, Resp interface{ GetActs() int64 }](
	ctx context.Context, c *Client, limit time.Duration,
	method func(adminv1.PartServiceClient, context.Context, *Req, ...grpc.CallOption) (Resp, error), req *Req,
) error {
	resp, seen, err := callWithin(ctx, c, limit,
		func(calls adminv1.PartServiceClient, ctx context.Context, req *Req, _ ...grpc.CallOption) (*Resp, error) {
			resp, err := method(calls, ctx, req)
			return &resp, err
		}, req)
	if err != nil {
		return err
	}
	c.awaitShown(ctx, seen.process, (*resp).GetActs())
	return nil
}

// callWithin makes a call to the part as it is seen, which it returns; nil
// means that nothing was sent.
func callWithin[Req, Resp any](
	ctx context.Context, c *Client, limit time.Duration,
	method func(adminv1.PartServiceClient, context.Context, *Req, ...grpc.CallOption) (*Resp, error), req *Req,
) (*Resp, *view, error) {
	ctx, cancel := context.WithTimeoutCause(ctx, limit, fmt.Errorf("no answer within %v", limit))
	defer cancel()
	defer context.AfterFunc(c.life, cancel)()
	seen, err := c.meet(ctx)
	if err != nil {
		return nil, nil, &Error{c.cfg.Name, status.Convert(err)}
	}
	resp, err := method(seen.calls, withNotAfter(ctx, time.Now().Add(silenceLimit)), req)
	if err != nil {
		return nil, seen, &Error{c.cfg.Name, c.explain(ctx, err)}
	}
	return resp, seen, nil
}

// meet waits for the part to be reachable: not for long, if it has been met
// before and is gone.
func (c *Client) meet(ctx context.Context) (*view, error) {
	v := c.view.Load()
	if !v.reachable() && v.incarnation > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, returnLimit)
		defer cancel()
	}
	for {
		changed := c.Changed()
		if v = c.view.Load(); v.reachable() {
			return v, nil
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return nil, status.Error(codes.Unavailable, unreachable+": "+c.view.Load().lost)
		}
	}
}

// explain says what became of a call.
func (c *Client) explain(ctx context.Context, err error) *status.Status {
	s := status.Convert(err)
	switch {
	case c.life.Err() != nil:
		return status.New(codes.Canceled, "its client is closed")
	case ctx.Err() != nil:
		return status.New(status.FromContextError(ctx.Err()).Code(), context.Cause(ctx).Error())
	case s.Code() == codes.Canceled, s.Code() == codes.Unavailable:
		return status.New(codes.Unavailable, "the connection was lost before it answered")
	}
	return s
}

// awaitShown waits until the last state seen is no older than an act, or the
// process is another one.
func (c *Client) awaitShown(ctx context.Context, of identity, acts int64) {
	ctx, cancel := context.WithTimeout(ctx, shownLimit)
	defer cancel()
	for {
		changed := c.Changed()
		if v := c.view.Load(); !v.reachable() || v.process != of || v.acts >= acts {
			return
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return
		}
	}
}
