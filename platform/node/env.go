// Package node is a machine of the platform: the agent that runs instances, in
// this process or as processes of their own, owns their fixed addresses and the
// router's listening socket, keeps the node's lease, and starts, replaces and
// restarts the node's router.
//
// The agent knows no service and no router: it is handed constructors for
// both. What a service needs from the machine that it runs on is [Env]; what
// it must offer in return is [Instance].
package node

import (
	"context"
	"log/slog"
	"net"

	"breakbank/platform/router"
	"breakbank/platform/rpc"
)

// Env is what an instance is given when it starts.
type Env struct {
	Service  string
	Version  string
	Instance string // also the name of its pod, such as ledger-v2-7-b2
	Node     string
	Zone     string

	// Listener is already listening: callers that connect before Serve wait
	// in the kernel's backlog. The instance closes it.
	Listener net.Listener
	// Dialer reaches other services by name, through this node's router or,
	// where there is none, by itself. Whoever made it closes it after the
	// instance has ended.
	Dialer *rpc.Dialer
	// RouterAddr is where this node's router listens (host:port).
	RouterAddr string

	BookAddr    string
	NATSURL     string
	StandinAddr string // stand-in's fixed address, for an independent fallback
	Fallback    string // none, routed or independent: what cardnet does once switched on
	FallbackOn  bool   // switched on from the start
	AccessLog   bool   // a line in the log for each call
	DataDir     string // the instance's own directory, empty at first, or with its specification
	Log         *slog.Logger
}

// Instance is a running copy of a service.
type Instance interface {
	// Serve blocks until Drain or Kill and returns nil after those. Any other
	// return means that the instance has crashed.
	Serve() error
	// Drain tells callers to go elsewhere, waits for what is in flight, and
	// stops. When ctx ends first it stops all the same.
	Drain(ctx context.Context) error
	// Kill ends the instance at once; its connections die. It may be called
	// at any time, also during Drain, and more than once.
	Kill()
}

// Constructor makes an instance that is ready to serve. An error fails the
// instance, and another one is started in its place after a backoff.
//
// ctx ends when the instance must give up starting; it does not bound its life.
type Constructor func(ctx context.Context, env Env) (Instance, error)

// Router is a router as its node sees it.
type Router interface {
	// Ready is closed once the router has a table to route by.
	Ready() <-chan struct{}
	Status() router.Status
	// Drain stops accepting, lets what is in flight finish, and stops; at the
	// latest when ctx ends.
	Drain(ctx context.Context) error
	// Kill ends the router at once; its connections die.
	Kill()
}

// RouterFactory starts a router with a configuration, as YAML, on a listener
// which the router closes. An error means that it cannot run with that
// configuration.
type RouterFactory func(config []byte, l net.Listener) (Router, error)

// Caller is a data plane inside an instance, in the router's place.
type Caller interface {
	rpc.Plane
	// Close ends it, after which its calls find nobody.
	Close()
}

// CallerFactory makes the data plane of one instance.
type CallerFactory func(service, instance string, log *slog.Logger) Caller

// Where node agents find the configuration of their routers.
const (
	// RouterConfigMap is the name of the ConfigMap.
	RouterConfigMap = "router"
	// RouterConfigKey is the key in its data.
	RouterConfigKey = "config.yaml"
)
