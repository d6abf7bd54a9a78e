// Package transport carries the calls of a load to its targets, and says of
// each call when it left, when its end came, and how far it got.
//
//	Call ──Begin──> Transport ──> connection ──> server
//	  ^                                             │
//	  └──── Owner.Done, exactly once <── answer, deadline or loss
//
// Two implementations pass one conformance suite. Wire speaks HTTP/2 frames on
// the goroutines of its connections (platform/wire): no goroutine a call, and
// one write for all that was begun together. GRPCGo gives each call a goroutine
// and grpc-go's own client, which is what most programs pay.
//
// Nothing is retried, and nothing fails over: a load generator that helps its
// target would hide what its customers feel.
package transport
