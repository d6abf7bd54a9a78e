package rpc

import (
	"context"
	"log/slog"
	"strings"
	"sync"
	"time"

	"google.golang.org/grpc/codes"
)

// accessLinesPerS bounds the access log of a process, whatever it serves: it is
// for following one request through a platform that is looked at, not for
// keeping account of a busy one.
const accessLinesPerS = 100

// Call is what an access log says of one call.
type Call struct {
	Service, Instance string
	Method            string
	Code              codes.Code
	Took              time.Duration
	RequestID         string
	Caller            string // who called, as it calls itself
	// More is what only some have, such as a router's attempts.
	More []slog.Attr
}

// LogCall writes a call to an access log: one line at level Info, unless this
// process has written 100 in this second. The first of the next second says
// how many were left out.
func LogCall(ctx context.Context, log *slog.Logger, c Call) {
	leftOut, ok := access.take(time.Now())
	if !ok {
		return
	}
	attrs := make([]slog.Attr, 0, 9+len(c.More))
	attrs = append(attrs,
		slog.String("service", brief(c.Service)), slog.String("instance", c.Instance),
		slog.String("method", brief(strings.TrimPrefix(c.Method, "/"))), slog.String("code", c.Code.String()),
		slog.Float64("ms", float64(c.Took.Microseconds())/1e3),
		slog.String("request_id", brief(c.RequestID)), slog.String("caller", brief(c.Caller)))
	attrs = append(attrs, c.More...)
	if leftOut > 0 {
		attrs = append(attrs, slog.Int64("left_out", leftOut))
	}
	log.LogAttrs(ctx, slog.LevelInfo, "call", attrs...)
}

// maxAccessField is how much is kept of what a caller has sent.
const maxAccessField = 128

func brief(s string) string { return s[:min(len(s), maxAccessField)] }

// access is the process's.
var access accessLimit

// accessLimit lets so many lines through in each second of the clock.
type accessLimit struct {
	mu      sync.Mutex
	second  int64
	written int
	leftOut int64 // since the last line
}

func (a *accessLimit) take(now time.Time) (leftOut int64, ok bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if second := now.Unix(); second != a.second {
		a.second, a.written = second, 0
	}
	if a.written == accessLinesPerS {
		a.leftOut++
		return 0, false
	}
	a.written++
	leftOut, a.leftOut = a.leftOut, 0
	return leftOut, true
}

// CallerOf reads out of a User-Agent who called: a [Dialer] puts service/instance
// before what gRPC says of itself.
func CallerOf(userAgent string) string {
	caller, _, _ := strings.Cut(userAgent, " ")
	return caller
}
