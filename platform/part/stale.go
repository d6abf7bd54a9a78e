package part

import (
	"context"
	"strconv"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
)

// notAfterKey is the metadata that says, in Unix milliseconds, until when a call
// may begin. One to a process that stands still lies in its socket, and would be
// carried out as soon as the process goes on, when its caller has long been told
// that it failed. The clocks of a platform's machines must agree for that.
const notAfterKey = "bb-not-after-ms"

func withNotAfter(ctx context.Context, t time.Time) context.Context {
	return metadata.AppendToOutgoingContext(ctx, notAfterKey, strconv.FormatInt(t.UnixMilli(), 10))
}

// stale refuses a call that comes too late, or whose caller has gone. One that
// says nothing about it is never too late.
func stale(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		return status.FromContextError(err).Err()
	}
	for _, text := range metadata.ValueFromIncomingContext(ctx, notAfterKey) {
		ms, err := strconv.ParseInt(text, 10, 64)
		if err != nil {
			return status.Error(codes.InvalidArgument, notAfterKey+" must be a number")
		}
		if late := time.Since(time.UnixMilli(ms)); late > 0 {
			return status.Errorf(codes.Aborted, "it came %v too late: its caller has given up", late.Round(time.Millisecond))
		}
	}
	return nil
}
