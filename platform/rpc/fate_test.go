package rpc

import (
	"context"
	"testing"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// TestALossAtTheDeadlineIsALoss: a request that was sent may have been
// executed, also when its connection broke just as its time ended. Found by an
// audit: a router was killed 1.2 s after a payment had been sent through it,
// and the payment was taken for one that nobody had seen.
func TestALossAtTheDeadlineIsALoss(t *testing.T) {
	for code, want := range map[codes.Code]fate{
		codes.Unavailable:      lost,
		codes.Internal:         lost,
		codes.DeadlineExceeded: ended,
		codes.Canceled:         ended,
	} {
		if got := lostOrEnded(status.Error(code, "transport is closing")); got != want {
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
