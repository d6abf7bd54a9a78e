package customers

import "breakbank/loadgen/transport"

// The targets of the bank's load, as indices into the targets of its transport.
const (
	TargetCardNet = iota
	TargetFPS
	TargetGateway
)

// Targets are the addresses of the edges, one a zone, each as host:port.
// Customer i enters at i mod their number and nowhere else: there is no
// fail-over, as there was none for a data centre's line to the card network.
type Targets struct {
	CardNet, FPS, Gateway []string
}

// Connections to each edge. Two spread the calls to a gRPC service, so that one
// TCP stream's head-of-line blocking is not all of it. A gateway takes 250
// requests at once on a connection (net/http's default): sixteen are enough for
// all phones of a load of 2,000 a second to hang there for their 10 s.
const (
	grpcConnections    = 2
	gatewayConnections = 16
)

// Names of the edges, which their calls have as authority: a server executes
// only what names its service.
const (
	cardNetName = "cardnet"
	fpsName     = "fps"
	gatewayName = "gateway"
)

// Config is a transport's to these targets.
func (t Targets) Config() transport.Config {
	return transport.Config{Targets: []transport.Target{
		TargetCardNet: {Name: cardNetName, Addresses: t.CardNet, Connections: grpcConnections},
		TargetFPS:     {Name: fpsName, Addresses: t.FPS, Connections: grpcConnections},
		TargetGateway: {Name: gatewayName, Addresses: t.Gateway, Connections: gatewayConnections},
	}}
}
