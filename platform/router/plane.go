package router

import (
	"context"
	"net"
	"slices"
	"time"

	"breakbank/platform/router/balance"
)

// The data planes: ways of moving bytes.
const (
	// DataPlaneFrames forwards HTTP/2 frames (platform/wire) and never looks
	// into a message.
	DataPlaneFrames = "frames"
	// DataPlaneRawCodec is carried by grpc-go with a pass-through codec.
	DataPlaneRawCodec = "raw-codec"
	// DataPlaneClientSide is no proxy at all: every service balances for
	// itself (router/clientside). A router is not built for it.
	DataPlaneClientSide = "client-side"
)

// dataPlane moves bytes between callers and instances. Which instance it is,
// and whether there is another attempt, it leaves to a course.
type dataPlane interface {
	// serve takes connections until drain or stop, and then returns nil.
	serve(l net.Listener) error
	// channel returns the way to an instance; nothing is connected yet.
	channel(service, addr string) channel
	// drain takes no more connections or requests and returns when what is
	// under way has ended.
	drain()
	// stop ends everything at once. It may be called while drain waits.
	stop()
}

// channel is the way to one instance. Its methods are called under the
// service's lock and must not wait.
type channel interface {
	// connect begins to connect, if that has not been begun.
	connect()
	// ready says whether there is a connection.
	ready() bool
	// probe asks the instance how loaded it is. The answer comes later, from
	// another goroutine, if at all.
	probe(answer probeAnswer)
	// close ends the connections; nothing is under way on them, or all is to
	// be lost.
	close()
}

// probeAnswer takes what an instance says of itself: what requests took it
// lately, and its load.
type probeAnswer func(addr string, took time.Duration, load balance.Load)

// proxyPlanes are the data planes that a router is built with.
var proxyPlanes = []struct {
	name string
	new  func(*Router) dataPlane
}{
	{DataPlaneFrames, newFrames},
	{DataPlaneRawCodec, newRawPlane},
}

// ProxyPlanes lists the data planes of this router.
func ProxyPlanes() []string {
	names := make([]string, len(proxyPlanes))
	for i, p := range proxyPlanes {
		names[i] = p.name
	}
	return names
}

// DataPlanes lists all ways of moving bytes that a configuration may name.
func DataPlanes() []string { return append(ProxyPlanes(), DataPlaneClientSide) }

// newPlane builds a data plane, or returns nil if there is none of that name.
func newPlane(name string, r *Router) dataPlane {
	i := slices.IndexFunc(proxyPlanes, func(p struct {
		name string
		new  func(*Router) dataPlane
	},
	) bool {
		return p.name == name
	})
	if i < 0 {
		return nil
	}
	return proxyPlanes[i].new(r)
}

// untilDone waits for a data plane to drain, but no longer than ctx.
func untilDone(ctx context.Context, drain func()) (done chan struct{}, err error) {
	done = make(chan struct{})
	go func() {
		defer close(done)
		drain()
	}()
	select {
	case <-done:
	case <-ctx.Done():
		err = ctx.Err()
	}
	return done, err
}
