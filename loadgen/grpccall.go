package loadgen

import (
	"context"
	"sync/atomic"

	"google.golang.org/grpc"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/stats"
	"google.golang.org/grpc/status"
)

// callGRPC performs a unary call and keeps its provenance. ok says whether the
// reply can be read; else the decision stands.
func (v *visit) callGRPC(ctx context.Context, conn *grpc.ClientConn, method string, request, reply any) (d Decision, ok bool) {
	v.trailer = nil
	trace := &callTrace{}
	err := conn.Invoke(context.WithValue(ctx, callTraceKey{}, trace), method, request, reply, v.callOptions...)
	v.provenance = parseProvenance(first(v.trailer, routeName), first(v.trailer, routeAgeName), first(v.trailer, attemptsName))
	if err == nil {
		return Decision{}, true
	}
	st := status.Convert(err)
	return classifyError(v.write, trace.fate(), codeName(st.Code()), st.Message()), false
}

func first(md metadata.MD, name string) string {
	if values := md[name]; len(values) > 0 {
		return values[0]
	}
	return ""
}

// callTrace notes how far a call got. The status alone does not tell: gRPC says
// UNAVAILABLE both when nothing could be sent and when the connection broke
// after the server had read the request.
type callTrace struct{ sent, answered atomic.Bool }

func (t *callTrace) fate() fate {
	switch {
	case t.answered.Load():
		return refused
	case t.sent.Load():
		return lost
	default:
		return unsent
	}
}

type callTraceKey struct{}

// fateHandler is a stats.Handler that fills in the callTrace of each call.
type fateHandler struct{}

func (fateHandler) TagRPC(ctx context.Context, _ *stats.RPCTagInfo) context.Context { return ctx }

func (fateHandler) HandleRPC(ctx context.Context, s stats.RPCStats) {
	trace, ok := ctx.Value(callTraceKey{}).(*callTrace)
	if !ok {
		return
	}
	switch s.(type) {
	case *stats.OutPayload:
		// The message is with the transport; before, no server can execute it.
		trace.sent.Store(true)
	case *stats.InTrailer:
		trace.answered.Store(true)
	}
}

func (fateHandler) TagConn(ctx context.Context, _ *stats.ConnTagInfo) context.Context { return ctx }

func (fateHandler) HandleConn(context.Context, stats.ConnStats) {}
