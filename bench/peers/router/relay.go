package peers

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"sync"
)

// relayConnections bounds the connections that a relay carries at once.
const relayConnections = connectionsMax

// ServeRelay passes bytes on between connections to listen and connections to
// the backends, which take turns, until ctx ends. It looks at nothing, so it is
// what any proxy written in Go costs before it has done anything.
func ServeRelay(ctx context.Context, listen string, backends []string) error {
	if len(backends) == 0 {
		return errors.New("serve a relay: there is nothing to relay to")
	}
	listener, err := net.Listen("tcp", listen)
	if err != nil {
		return fmt.Errorf("serve a relay: %w", err)
	}
	var carrying sync.WaitGroup
	defer carrying.Wait()
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	stopListening := context.AfterFunc(ctx, func() { listener.Close() })
	defer stopListening()
	free := make(chan struct{}, relayConnections)
	for turn := 0; ; turn++ {
		caller, err := listener.Accept()
		switch {
		case ctx.Err() != nil:
			return nil
		case err != nil:
			return fmt.Errorf("serve a relay: %w", err)
		}
		select {
		case free <- struct{}{}:
		default:
			caller.Close()
			continue
		}
		carrying.Go(func() {
			defer func() { <-free }()
			carry(ctx, caller, backends[turn%len(backends)])
		})
	}
}

// carry passes bytes on in both directions until either side ends or ctx does.
func carry(ctx context.Context, caller net.Conn, backend string) {
	defer caller.Close()
	var dialer net.Dialer
	callee, err := dialer.DialContext(ctx, "tcp", backend)
	if err != nil {
		return // The caller sees its connection close.
	}
	defer callee.Close()
	stop := context.AfterFunc(ctx, func() { end(caller, callee) })
	defer stop()
	var back sync.WaitGroup
	back.Go(func() {
		_, _ = io.Copy(caller, callee) // Whichever ends first ends both.
		end(caller, callee)
	})
	_, _ = io.Copy(callee, caller)
	end(caller, callee)
	back.Wait()
}

func end(conns ...net.Conn) {
	for _, c := range conns {
		c.Close()
	}
}
