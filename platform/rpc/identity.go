package rpc

import (
	"context"
	"log/slog"
	"strings"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
)

// infrastructure are the services that a server answers whoever was meant:
// probes and tools come by address and execute no business.
var infrastructure = []string{"/grpc.health.v1.", "/grpc.reflection."}

// refusal says why a request must not be executed here, "" when it may be.
// An address may have been reused by another service since the table that led
// here was made; so the request itself must name this service, in :authority
// or in bb-service, and, if it names an instance, this one.
func (s *Server) refusal(in incoming) string {
	meant := in.service
	if meant == "" {
		meant = in.authority
	}
	if meant != s.config.Service {
		return RefusedWrongService
	}
	if in.want != "" && in.want != s.config.Instance {
		return RefusedWrongInstance
	}
	return ""
}

func isInfrastructure(method string) bool {
	for _, prefix := range infrastructure {
		if strings.HasPrefix(method, prefix) {
			return true
		}
	}
	return false
}

// admit returns an error for a request that is not meant for this server.
func (s *Server) admit(c call, setTrailer func(metadata.MD)) error {
	reason := s.refusal(c.in)
	if reason == "" {
		return nil
	}
	s.refused.Add(1)
	s.meter.refuse(reason)
	s.config.Log.Debug("refused a call meant for another", "method", c.method, "reason", reason,
		"authority", c.in.authority, "want", c.in.want, "request_id", c.in.requestID)
	s.logCall(c, codes.Unavailable, time.Since(c.at), slog.String("refused", reason))
	setTrailer(metadata.Pairs(RefusedTrailer, reason, InstanceTrailer, s.config.Instance))
	return status.Errorf(codes.Unavailable, "refused by %s of %s: %s, not executed", s.config.Instance, s.config.Service, reason)
}

// unary is a grpc.UnaryServerInterceptor: identity, request id, then provenance.
func (s *Server) unary(ctx context.Context, req any, info *grpc.UnaryServerInfo, handle grpc.UnaryHandler) (any, error) {
	setTrailer := func(md metadata.MD) {
		// It fails only outside a handler.
		_ = grpc.SetTrailer(ctx, md)
	}
	if isInfrastructure(info.FullMethod) {
		reply, err := handle(ctx, req)
		setTrailer(s.trailer(probeOf(ctx), Provenance{}))
		return reply, err
	}
	c := s.call(ctx, info.FullMethod)
	if err := s.admit(c, setTrailer); err != nil {
		return nil, err
	}
	inner, collector := serving(ctx, c.in.requestID)
	s.began(c)
	reply, err := handle(inner, req)
	s.ended(c, err)
	setTrailer(s.trailer(c.in, collector.Provenance()))
	return reply, err
}

// stream is a grpc.StreamServerInterceptor.
func (s *Server) stream(srv any, stream grpc.ServerStream, info *grpc.StreamServerInfo, handle grpc.StreamHandler) error {
	if isInfrastructure(info.FullMethod) {
		// Who watches the health of a server does so until the end, and must
		// not put it off.
		ctx, cancel := context.WithCancel(stream.Context())
		defer cancel()
		defer context.AfterFunc(s.ending, cancel)()
		err := handle(srv, &serverStream{ServerStream: stream, ctx: ctx})
		stream.SetTrailer(s.trailer(probeOf(ctx), Provenance{}))
		return err
	}
	c := s.call(stream.Context(), info.FullMethod)
	if err := s.admit(c, stream.SetTrailer); err != nil {
		return err
	}
	ctx, collector := serving(stream.Context(), c.in.requestID)
	s.began(c)
	err := handle(srv, &serverStream{ServerStream: stream, ctx: ctx})
	s.ended(c, err)
	stream.SetTrailer(s.trailer(c.in, collector.Provenance()))
	return err
}

// call is one request that a server was sent.
type call struct {
	ctx    context.Context
	method string
	at     time.Time
	in     incoming
}

func (s *Server) call(ctx context.Context, method string) call {
	return call{ctx: ctx, method: method, at: time.Now(), in: readIncoming(ctx, s.config.Edge)}
}

// began counts a request as load.
func (s *Server) began(c call) {
	s.load.began(c.at)
	s.meter.Began()
}

// ended counts its end, and logs it if that is asked for.
func (s *Server) ended(c call, err error) {
	now := time.Now()
	took := now.Sub(c.at)
	s.load.ended(now, took, err)
	code := codeOf(err)
	s.meter.Ended(c.method, code, took)
	s.logCall(c, code, took)
}

// codeOf is the code that gRPC makes of a handler's error.
func codeOf(err error) codes.Code {
	if s, ok := status.FromError(err); ok {
		return s.Code()
	}
	return status.FromContextError(err).Code()
}

func (s *Server) logCall(c call, code codes.Code, took time.Duration, more ...slog.Attr) {
	if !s.config.AccessLog {
		return
	}
	LogCall(c.ctx, s.config.Log, Call{
		Service: s.config.Service, Instance: s.config.Instance, Method: c.method, Code: code, Took: took,
		RequestID: c.in.requestID, Caller: CallerOf(incomingField(c.ctx, "user-agent")), More: more,
	})
}

// trailer reports this instance, what was gathered below it, how loaded it is,
// if the caller wants to know, and the request's id, if the caller does not.
func (s *Server) trailer(in incoming, gathered Provenance) metadata.MD {
	md := gathered.Metadata()
	md[InstanceTrailer] = []string{s.config.Instance}
	if in.wantLoad {
		md[LoadTrailer] = []string{s.load.report(time.Now())}
	}
	if in.tell {
		md[RequestIDMetadata] = []string{in.requestID}
	}
	return md
}

// serverStream is a stream whose context is that of its request.
type serverStream struct {
	grpc.ServerStream
	ctx context.Context
}

func (s *serverStream) Context() context.Context { return s.ctx }
