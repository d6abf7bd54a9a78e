package router

import (
	"context"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	healthv1 "google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"

	"breakbank/platform/router/discovery"
	"breakbank/platform/rpc"
)

// alive asks the instance at an address whether it is the one that the table
// names, and serves: the question of discovery policies that do not take a
// registry's word for it. It has a connection of its own, because one that is
// kept may be answered by a process that is about to go.
//
// A server that has no health service, or does not say who it is, is believed
// when it answers at all.
func alive(ctx context.Context, service string, e discovery.Endpoint) bool {
	conn, err := grpc.NewClient("passthrough:///"+e.Addr,
		grpc.WithAuthority(service),
		grpc.WithTransportCredentials(insecure.NewCredentials()),
		grpc.WithDisableServiceConfig())
	if err != nil {
		return false
	}
	defer func() { _ = conn.Close() }() // it fails only if closed twice
	var trailer metadata.MD
	answer, err := healthv1.NewHealthClient(conn).Check(ctx, &healthv1.HealthCheckRequest{Service: service}, grpc.Trailer(&trailer))
	if name := trailer.Get(rpc.InstanceTrailer); len(name) > 0 && e.Instance != "" && name[0] != e.Instance {
		return false
	}
	switch status.Code(err) {
	case codes.OK:
		return answer.GetStatus() == healthv1.HealthCheckResponse_SERVING
	case codes.Unimplemented:
		return true
	default: // NotFound: a server that has never heard of the service
		return false
	}
}
