package transport

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"time"
)

// Transport carries calls. Its methods may be called from any goroutine.
type Transport interface {
	// Begin sends a call once b is flushed. The call's end is told to its
	// owner. A transport that is being closed ends it at once, Unsent.
	Begin(b *Batch, c *Call)
	// Settle waits until every connection is made or has failed once, or ctx
	// ends. It says why when a target has none at all; the transport goes on
	// trying.
	Settle(ctx context.Context) error
	// GiveUp ends every call under way that has a deadline, as if that had
	// passed. One that is just being begun may miss it.
	GiveUp()
	// Close ends all calls and connections, and returns when nothing of the
	// transport runs any more.
	Close()
}

// Target is what calls go to.
type Target struct {
	// Name is for people.
	Name string
	// Addresses are host:port.
	Addresses []string
	// Connections is how many there are to each address, 1 if 0.
	Connections int
}

// Config is what a transport is made of.
type Config struct {
	Targets []Target
	// TLS, if not nil, is spoken on all connections. NextProtos is set.
	TLS *tls.Config
}

// Bounds of the connections.
const (
	// connectionsMax bounds the connections to one address.
	connectionsMax = 4096
	// redialBase and redialMax are how long a connection that failed, or that
	// was lost before it was redialBase old, waits before it is dialled again:
	// twice as long each time. Where it failed, calls in between fail at once.
	redialBase = 20 * time.Millisecond
	redialMax  = 200 * time.Millisecond
	// dialLimit bounds the making of one connection, the peer's greeting
	// included.
	dialLimit = 3 * time.Second
)

// check says what is wrong with a configuration.
func (c *Config) check() error {
	if len(c.Targets) == 0 {
		return errors.New("no target is given")
	}
	for i := range c.Targets {
		t := &c.Targets[i]
		if t.Connections < 0 || t.Connections > connectionsMax {
			return fmt.Errorf("%d connections to %s: say 1 to %d", t.Connections, t.Name, connectionsMax)
		}
		for _, address := range t.Addresses {
			if _, _, err := net.SplitHostPort(address); err != nil {
				return fmt.Errorf("the address of %s must be host:port: %w", t.Name, err)
			}
		}
	}
	return nil
}

// New makes a transport by its name. It starts to connect.
func New(name string, c Config) (Transport, error) {
	for _, t := range Transports {
		if t.Name == name {
			return t.New(c)
		}
	}
	return nil, fmt.Errorf("no transport %q; the transports are %s and %s", name, Transports[0].Name, Transports[1].Name)
}

// Transports is the table of transports; the first is the default.
var Transports = [...]struct {
	Name string
	New  func(Config) (Transport, error)
}{
	{"wire", func(c Config) (Transport, error) { return NewWire(c) }},
	{"grpc-go", func(c Config) (Transport, error) { return NewGRPCGo(c) }},
}
