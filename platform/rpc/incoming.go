package rpc

import (
	"context"

	"google.golang.org/grpc/metadata"
)

// incoming is what a server reads of a request's metadata.
type incoming struct {
	authority, service, want string
	requestID                string
	// tell: the caller does not know the id.
	tell     bool
	wantLoad bool
}

// readIncoming reads it field by field: a copy of all of it costs more than all
// else that a server does for a request.
func readIncoming(ctx context.Context, edge bool) incoming {
	in := incoming{
		authority: incomingField(ctx, ":authority"),
		service:   incomingField(ctx, ServiceMetadata),
		want:      incomingField(ctx, InstanceWantMetadata),
		requestID: incomingField(ctx, RequestIDMetadata),
		wantLoad:  incomingField(ctx, LoadWantMetadata) != "",
	}
	if isRequestID(in.requestID) {
		return in
	}
	in.tell, in.requestID = true, ""
	if edge {
		in.requestID = incomingField(ctx, OutsideRequestID)
	}
	in.requestID = RequestIDFor(in.requestID)
	return in
}

// probeOf is what matters of a request that is no business of the service's.
func probeOf(ctx context.Context) incoming {
	return incoming{wantLoad: incomingField(ctx, LoadWantMetadata) != ""}
}

func incomingField(ctx context.Context, name string) string {
	return first(metadata.ValueFromIncomingContext(ctx, name))
}
