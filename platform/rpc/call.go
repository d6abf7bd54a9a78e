package rpc

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/connectivity"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
)

// maxPicks bounds how often one attempt goes back to wait for a connection
// after finding the one it had was gone.
const maxPicks = 5

// caller makes the calls of one channel.
type caller struct {
	target target
	log    *slog.Logger
}

// unary is a grpc.UnaryClientInterceptor.
func (c *caller) unary(ctx context.Context, method string, req, reply any, cc *grpc.ClientConn, invoke grpc.UnaryInvoker, opts ...grpc.CallOption) error {
	ctx, repeatable := outgoing(ctx)
	call := func(ctx context.Context) error {
		var trailer metadata.MD
		err := invoke(ctx, method, req, reply, cc, append(opts[:len(opts):len(opts)], grpc.Trailer(&trailer))...)
		collect(ctx, ParseProvenance(trailer))
		return err
	}
	what, err := c.attempt(ctx, cc, call)
	switch {
	case what == Answered || what == OutOfTime:
		return err
	case what == NeverSent:
		return c.unavailable(method, err)
	case !repeatable || ctx.Err() != nil:
		return c.aborted(method, err)
	}

	c.log.Debug("connection lost, repeating the call", "method", method, "error", err)
	collect(ctx, Provenance{Attempts: 1})
	again, errAgain := c.attempt(ctx, cc, call)
	switch {
	case again == NeverSent || again == Lost:
		return c.aborted(method, errAgain)
	case status.Code(errAgain) == codes.Unavailable:
		// It was not executed this time; it may have been the first time.
		return c.aborted(method, fmt.Errorf("%w; then %w", err, errAgain))
	default:
		return errAgain
	}
}

// attempt makes the call once a connection is ready, waiting for that up to
// sendWait, and says what became of it.
func (c *caller) attempt(ctx context.Context, cc *grpc.ClientConn, call func(context.Context) error) (Fate, error) {
	deadline := time.Now().Add(sendWait)
	for pick := 1; ; pick++ {
		if err := waitReady(ctx, cc, deadline); err != nil {
			return NeverSent, err
		}
		var wire Wire
		err := call(wire.Record(ctx))
		what := wire.Fate(err)
		if what != NeverSent || status.Code(err) != codes.Unavailable || pick == maxPicks || !time.Now().Before(deadline) {
			return what, err
		}
	}
}

// waitReady returns nil once the channel is ready, or an error when it is not
// by the deadline, when ctx ends, or when the channel is closed.
func waitReady(ctx context.Context, cc *grpc.ClientConn, deadline time.Time) error {
	state := cc.GetState()
	if state == connectivity.Ready {
		return nil
	}
	began := time.Now()
	wait, cancel := context.WithDeadline(ctx, deadline)
	defer cancel()
	for {
		switch state {
		case connectivity.Ready:
			return nil
		case connectivity.Shutdown:
			return errors.New("channel is closed")
		case connectivity.Idle:
			cc.Connect()
		case connectivity.Connecting, connectivity.TransientFailure:
		}
		if !cc.WaitForStateChange(wait, state) {
			waited := time.Since(began).Round(time.Millisecond)
			if err := ctx.Err(); err != nil {
				return fmt.Errorf("channel still %v after %v: %w", state, waited, err)
			}
			return fmt.Errorf("channel still %v after %v", state, waited)
		}
		state = cc.GetState()
	}
}

// unavailable is the error of a call that no peer has seen. It is Unavailable
// even when the caller ran out of time, because what the caller must know is
// that nothing happened; only a caller that cancelled is told so.
func (c *caller) unavailable(method string, err error) error {
	if errors.Is(err, context.Canceled) || status.Code(err) == codes.Canceled {
		return status.Errorf(codes.Canceled, "%s at %s: %s never sent: cancelled", c.target.service, c.target.addr, method)
	}
	return status.Errorf(codes.Unavailable, "%s at %s: %s never sent: %v", c.target.service, c.target.addr, method, err)
}

// aborted is the error of a call that was sent and whose answer was lost.
func (c *caller) aborted(method string, err error) error {
	return status.Errorf(codes.Aborted, "%s at %s: %s outcome unknown: %v", c.target.service, c.target.addr, method, err)
}
