package rpc

import (
	"context"
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
func (s *Server) refusal(md metadata.MD) string {
	meant := first(md.Get(ServiceMetadata))
	if meant == "" {
		meant = first(md.Get(":authority"))
	}
	if meant != s.config.Service {
		return RefusedWrongService
	}
	if want := first(md.Get(InstanceWantMetadata)); want != "" && want != s.config.Instance {
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
func (s *Server) admit(ctx context.Context, method string, setTrailer func(metadata.MD)) error {
	if isInfrastructure(method) {
		return nil
	}
	md, _ := metadata.FromIncomingContext(ctx)
	reason := s.refusal(md)
	if reason == "" {
		return nil
	}
	s.refused.Add(1)
	s.config.Log.Debug("refused a call meant for another", "method", method, "reason", reason,
		"authority", first(md.Get(":authority")), "want", first(md.Get(InstanceWantMetadata)))
	setTrailer(metadata.Pairs(RefusedTrailer, reason, InstanceTrailer, s.config.Instance))
	return status.Errorf(codes.Unavailable, "refused by %s of %s: %s, not executed", s.config.Instance, s.config.Service, reason)
}

// unary is a grpc.UnaryServerInterceptor: identity, then provenance.
func (s *Server) unary(ctx context.Context, req any, info *grpc.UnaryServerInfo, handle grpc.UnaryHandler) (any, error) {
	setTrailer := func(md metadata.MD) {
		// It fails only outside a handler.
		_ = grpc.SetTrailer(ctx, md)
	}
	if err := s.admit(ctx, info.FullMethod, setTrailer); err != nil {
		return nil, err
	}
	inner, collector := WithProvenance(ctx)
	ended := s.loaded(info.FullMethod)
	reply, err := handle(inner, req)
	ended(err)
	setTrailer(s.trailer(ctx, collector))
	return reply, err
}

// stream is a grpc.StreamServerInterceptor.
func (s *Server) stream(srv any, stream grpc.ServerStream, info *grpc.StreamServerInfo, handle grpc.StreamHandler) error {
	if err := s.admit(stream.Context(), info.FullMethod, stream.SetTrailer); err != nil {
		return err
	}
	ctx, collector := WithProvenance(stream.Context())
	if isInfrastructure(info.FullMethod) {
		// Who watches the health of a server does so until the end, and must
		// not put it off.
		var cancel context.CancelFunc
		ctx, cancel = context.WithCancel(ctx)
		defer cancel()
		defer context.AfterFunc(s.ending, cancel)()
	}
	ended := s.loaded(info.FullMethod)
	err := handle(srv, &serverStream{ServerStream: stream, ctx: ctx})
	ended(err)
	stream.SetTrailer(s.trailer(ctx, collector))
	return err
}

// loaded counts a request as load, unless it is a probe; what it returns must
// be told the end.
func (s *Server) loaded(method string) (ended func(error)) {
	if isInfrastructure(method) {
		return func(error) {}
	}
	began := time.Now()
	s.load.began(began)
	return func(err error) {
		now := time.Now()
		s.load.ended(now, now.Sub(began), err)
	}
}

// trailer reports this instance, what was gathered below it, and how loaded it
// is, if the caller wants to know.
func (s *Server) trailer(ctx context.Context, c *Collector) metadata.MD {
	md := c.Provenance().Metadata()
	md.Set(InstanceTrailer, s.config.Instance)
	if in, _ := metadata.FromIncomingContext(ctx); len(in.Get(LoadWantMetadata)) > 0 {
		md.Set(LoadTrailer, s.load.report(time.Now()))
	}
	return md
}

// serverStream is a stream whose context has a collector.
type serverStream struct {
	grpc.ServerStream
	ctx context.Context
}

func (s *serverStream) Context() context.Context { return s.ctx }
