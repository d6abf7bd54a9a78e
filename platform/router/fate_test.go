package router

import (
	"context"
	"net"
	"testing"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/peer"
	"google.golang.org/grpc/status"
)

// TestALossAtTheDeadlineIsNotUnavailable: the attempt was sent, its connection
// broke just as the caller's time ended. Unavailable would say that no server
// can have executed it.
func TestALossAtTheDeadlineIsNotUnavailable(t *testing.T) {
	ctx, cancel := context.WithDeadline(t.Context(), time.Unix(0, 0))
	defer cancel()
	r := &reply{
		peer: peer.Peer{Addr: &net.TCPAddr{}},
		err:  status.Error(codes.Unavailable, "error reading from server: EOF"),
	}
	if f := r.fate(ctx); f != abandoned {
		t.Fatalf("fate %d, want abandoned", f)
	}
	if err := r.abandonedStatus(ctx); status.Code(err) != codes.DeadlineExceeded {
		t.Errorf("the caller is told %v", err)
	}
}
