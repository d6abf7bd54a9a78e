package transport

import (
	"context"
	"encoding/binary"
	"fmt"
	"slices"
	"sync/atomic"

	"golang.org/x/net/http2/hpack"
	"google.golang.org/grpc/mem"
	"google.golang.org/grpc/stats"
)

// callTrace notes how far a call got. The status alone does not tell: gRPC says
// UNAVAILABLE both when nothing could be sent and when the connection broke
// after the server had read the request.
type callTrace struct{ sent, answered atomic.Bool }

func (t *callTrace) fate() Fate {
	switch {
	case t.answered.Load():
		return Answered
	case t.sent.Load():
		return Lost
	default:
		return Unsent
	}
}

type traceKey struct{}

// traceHandler is a stats.Handler that fills in the callTrace of each call.
type traceHandler struct{}

// TagRPC implements stats.Handler.
func (traceHandler) TagRPC(ctx context.Context, _ *stats.RPCTagInfo) context.Context { return ctx }

// HandleRPC implements stats.Handler.
func (traceHandler) HandleRPC(ctx context.Context, s stats.RPCStats) {
	trace, ok := ctx.Value(traceKey{}).(*callTrace)
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

// TagConn implements stats.Handler.
func (traceHandler) TagConn(ctx context.Context, _ *stats.ConnTagInfo) context.Context { return ctx }

// HandleConn implements stats.Handler.
func (traceHandler) HandleConn(context.Context, stats.ConnStats) {}

// rawCodec passes messages on as the bytes they are. It is called proto, since
// that is what they are.
type rawCodec struct{}

// Marshal implements encoding.CodecV2.
func (rawCodec) Marshal(v any) (mem.BufferSlice, error) {
	b, ok := v.([]byte)
	if !ok {
		return nil, fmt.Errorf("a message must be bytes, not %T", v)
	}
	// A copy, as of a message that is encoded: grpc-go may hold on to it longer
	// than the call lasts.
	return mem.BufferSlice{mem.SliceBuffer(slices.Clone(b))}, nil
}

// Unmarshal implements encoding.CodecV2.
func (rawCodec) Unmarshal(data mem.BufferSlice, v any) error {
	p, ok := v.(*[]byte)
	if !ok {
		return fmt.Errorf("a message is read into bytes, not %T", v)
	}
	*p = data.Materialize()
	return nil
}

// Name implements encoding.CodecV2.
func (rawCodec) Name() string { return "proto" }

// messageBytes is how long the first message of a request is, with its prefix.
func messageBytes(request []byte) int {
	return min(len(request), PrefixBytes+int(binary.BigEndian.Uint32(request[1:])))
}

// addFields keeps headers or trailers.
func (c *Call) addFields(fields map[string][]string) {
	for name, values := range fields {
		for _, value := range values {
			c.Fields = append(c.Fields, hpack.HeaderField{Name: name, Value: value})
		}
	}
}
