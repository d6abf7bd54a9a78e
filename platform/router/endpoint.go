package router

import (
	"time"

	"breakbank/platform/router/balance"
	"breakbank/platform/router/discovery"
)

const (
	// connectTimeout bounds one attempt to connect to an instance (Finagle,
	// tcp.connectTimeout = 1 s).
	connectTimeout = time.Second

	// unreachableAfter is how long an attempt must have waited for a connection
	// for its end, on the caller's side, to count against the address: many
	// times what a connection inside a data centre takes.
	unreachableAfter = 250 * time.Millisecond

	// evidenceEvery bounds how often one address is reported to discovery.
	evidenceEvery = time.Second
)

// endpoint is one instance of one service, with the way to it. What changes is
// guarded by the service's lock.
type endpoint struct {
	discovery.Endpoint

	// channel is nil until the endpoint is first used. Who has picked the
	// endpoint may use it.
	channel channel

	active  int  // attempts under way
	retired bool // left the table; close when the last attempt ends

	joined     time.Time
	reached    balance.FailFast // how its connections went
	reportedAt time.Time        // to discovery
}

// close ends the connections, if there are any.
func (e *endpoint) close() {
	if e.channel != nil {
		e.channel.close()
	}
}
