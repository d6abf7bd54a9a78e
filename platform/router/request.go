package router

import (
	"context"
	"slices"
	"strings"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"

	"breakbank/platform/router/overload"
	"breakbank/platform/rpc"
)

// request is one request in the data plane raw-codec.
type request struct {
	course
	plane  *rawPlane
	in     grpc.ServerStream
	ctx    context.Context // the caller's
	method string
	md     metadata.MD // to send on; bb-instance-want changes per attempt
}

// attempt sends a request to one endpoint. final is true once anything has
// been passed to the caller, so that there can be no other attempt.
type attempt func(ctx context.Context, e *endpoint) (r *reply, final bool)

// handle serves every request; no method is registered.
func (p *rawPlane) handle(_ any, in grpc.ServerStream) error {
	p.router.requests.Add(1)
	q := &request{plane: p, in: in, ctx: in.Context()}
	q.router, q.began, q.level = p.router, time.Now(), overload.Critical
	q.method, _ = grpc.MethodFromServerStream(in)
	q.ask.Method, q.ask.Zone = q.method, p.router.options.Zone
	q.md, _ = metadata.FromIncomingContext(q.ctx)
	if authority := q.md.Get(":authority"); len(authority) > 0 {
		q.name = authority[0]
	}
	if key := q.md.Get(hashKeyMetadata); len(key) > 0 {
		q.ask.Key = key[0]
	}
	// grpc announces its own; forwarding the caller's would make two.
	delete(q.md, "grpc-accept-encoding")
	q.repeatable = len(q.md.Get(rpc.KeyMetadata)) > 0 || len(q.md.Get(rpc.ReadMetadata)) > 0

	if level := q.md.Get(overload.Metadata); len(level) > 0 {
		q.level = overload.ParseCriticality(level[0])
	}

	if p.router.options.AccessLog {
		q.requestID, q.caller = field(q.md, rpc.RequestIDMetadata), field(q.md, "user-agent")
	}

	unary := p.methods.isUnary(q.method)
	err := q.admit(q.ctx)
	switch {
	case err != nil:
		err = q.fail(err)
	case unary:
		err = q.unary()
	default:
		err = q.stream()
	}
	q.done(time.Now(), status.Code(err), unary)
	return err
}

func field(md metadata.MD, name string) string {
	if values := md.Get(name); len(values) > 0 {
		return values[0]
	}
	return ""
}

// send makes attempts until one is final, answered, or the last that may be
// made. What it returns goes to the caller as it is.
func (q *request) send(try attempt) error {
	for {
		e, err := q.next(q.ctx)
		if err != nil {
			return q.fail(err)
		}
		r, f, final := q.attempt(e, try)
		if r.err == nil {
			q.in.SetTrailer(q.provenance(e, r.trailer))
			return nil
		}
		f = q.reconsider(f, status.Code(r.err))
		if !final && q.mayGoOn(e, f, q.ctx.Err() == nil) {
			continue
		}
		if f == answered && !final {
			// It fails only once headers have been sent.
			_ = q.in.SetHeader(passable(r.header))
		}
		q.in.SetTrailer(q.provenance(e, r.trailer))
		return q.verdict(q.ctx, f, e, r.err)
	}
}

// attempt makes one attempt and tells the balancer and discovery of it.
func (q *request) attempt(e *endpoint, try attempt) (*reply, fate, bool) {
	// Metadata in flight belongs to grpc: an attempt after the first has a
	// copy of its own.
	md := q.md
	if q.attempts > 1 {
		md = md.Copy()
	}
	if e.Instance != "" {
		md.Set(rpc.InstanceWantMetadata, e.Instance)
	} else {
		delete(md, rpc.InstanceWantMetadata)
	}
	if q.service.informed {
		md.Set(rpc.LoadWantMetadata, "1")
	}
	began := time.Now()
	var (
		r     *reply
		final bool
	)
	if conn := e.channel.(rawChannel).conn; conn != nil {
		r, final = try(metadata.NewOutgoingContext(q.ctx, md), e)
	} else {
		r = &reply{err: status.Error(codes.Unavailable, "the address cannot be dialled")}
	}
	f := r.fate(q.ctx)
	o := outcome{fate: f, began: began, now: time.Now(), failed: r.failed(f)}
	if raw := r.trailer.Get(rpc.LoadTrailer); q.service.informed && len(raw) > 0 {
		if _, load, ok := parseLoad([]byte(raw[0])); ok {
			o.load = &load
		}
	}
	q.ended(e, o)
	return r, f, final
}

// fail reports a request for which no server has answered.
func (q *request) fail(err error) error {
	q.refused()
	q.in.SetTrailer(q.provenance(nil, nil))
	return err
}

// passable takes out of a server's headers or trailers what grpc makes itself.
func passable(md metadata.MD) metadata.MD {
	for name := range md {
		if name == "content-type" || strings.HasPrefix(name, "grpc-") && !slices.Contains(passedGRPCHeaders, name) {
			delete(md, name)
		}
	}
	return md
}

// passedGRPCHeaders are names in gRPC's own space that belong to the
// application.
var passedGRPCHeaders = []string{"grpc-trace-bin", "grpc-tags-bin"}
