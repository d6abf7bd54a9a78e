package rpc

import (
	"context"
	"testing"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/stats"
	"google.golang.org/grpc/status"
)

// TestALossAtTheDeadlineIsALoss: a request that was sent may have been
// executed, also when its connection broke just as its time ended. Found by an
// audit: a router was killed 1.2 s after a payment had been sent through it,
// and the payment was taken for one that nobody had seen.
func TestALossAtTheDeadlineIsALoss(t *testing.T) {
	for code, want := range map[codes.Code]Fate{
		codes.Unavailable:      Lost,
		codes.Internal:         Lost,
		codes.DeadlineExceeded: OutOfTime,
		codes.Canceled:         OutOfTime,
	} {
		var w Wire
		wireWatcher{}.HandleRPC(w.Record(t.Context()), &stats.OutHeader{})
		if got := w.Fate(status.Error(code, "transport is closing")); got != want {
			t.Errorf("%v: fate %d, want %d", code, got, want)
		}
	}
	c := &caller{}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := c.aborted("m", ctx.Err()); status.Code(err) != codes.Aborted {
		t.Errorf("a lost call ends as %v", err)
	}
}

// TestAWireForgetsWhatWasNotProcessed: grpc begins again by itself only after
// an attempt that the peer handed back. If that second attempt finds no
// connection, nothing was sent, in time or out of it.
func TestAWireForgetsWhatWasNotProcessed(t *testing.T) {
	var w Wire
	ctx := w.Record(t.Context())
	for _, event := range []stats.RPCStats{&stats.Begin{}, &stats.OutHeader{}, &stats.Begin{}} {
		wireWatcher{}.HandleRPC(ctx, event)
	}
	for _, code := range []codes.Code{codes.Unavailable, codes.DeadlineExceeded} {
		if got := w.Fate(status.Error(code, "")); got != NeverSent {
			t.Errorf("%v: fate %d, want NeverSent", code, got)
		}
	}
	wireWatcher{}.HandleRPC(ctx, &stats.OutHeader{})
	wireWatcher{}.HandleRPC(ctx, &stats.InTrailer{})
	if got := w.Fate(status.Error(codes.Unavailable, "")); got != Answered {
		t.Errorf("fate %d, want Answered", got)
	}
}
