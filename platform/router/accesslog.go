package router

import (
	"context"
	"log/slog"
	"time"

	"google.golang.org/grpc/codes"

	"breakbank/platform/rpc"
)

// logCall writes the end of a request to the access log: the id is the caller's,
// the instance the one that was asked last, "" if none was.
func (c *course) logCall(code codes.Code, took time.Duration) {
	call := rpc.Call{
		Service: c.name, Method: c.ask.Method, Code: code, Took: took,
		RequestID: c.requestID, Caller: rpc.CallerOf(c.caller),
		More: []slog.Attr{slog.String("router", c.router.options.Node), slog.Int("attempts", c.attempts)},
	}
	if c.asked != nil {
		call.Instance = c.asked.Instance
	}
	rpc.LogCall(context.Background(), c.router.log, call)
}
