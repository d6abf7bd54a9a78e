package workers

import (
	"fmt"
	"net"
	"strconv"
	"time"

	"github.com/nats-io/nats-server/v2/server"
)

const (
	// serverWait bounds the start of the server.
	serverWait = 10 * time.Second
	// connectWait bounds how long a connection may take until it has shown its
	// token. Machines under load are slow.
	connectWait = 10 * time.Second
	// spareConnections are for the coordinator itself, and for workers too many,
	// who should hear why they are refused.
	spareConnections = 32
)

// startServer starts a NATS server, which keeps nothing on disk.
func startServer(o *Options) (*server.Server, error) {
	host, port, err := net.SplitHostPort(o.Listen)
	if err != nil {
		return nil, err
	}
	number, err := strconv.Atoi(port)
	if err != nil {
		return nil, err
	}
	if number == 0 {
		number = server.RANDOM_PORT
	} else {
		// The server opens its socket itself, and says only after a long wait
		// that it could not.
		probe, err := net.Listen("tcp", o.Listen)
		if err != nil {
			return nil, fmt.Errorf("listen for workers: %w", err)
		}
		probe.Close()
	}
	n, err := server.NewServer(&server.Options{
		ServerName: "breakbank-load", Host: host, Port: number,
		Authorization: o.Token, AuthTimeout: connectWait.Seconds(),
		MaxPayload: payloadMax, MaxConn: o.Workers + spareConnections,
		NoSigs: true, NoLog: true, NoSystemAccount: true,
	})
	if err != nil {
		return nil, fmt.Errorf("start the server for workers: %w", err)
	}
	n.Start()
	if !n.ReadyForConnections(serverWait) {
		stopServer(n)
		return nil, fmt.Errorf("the server for workers did not come up on %s within %v", o.Listen, serverWait)
	}
	return n, nil
}

func stopServer(n *server.Server) {
	n.Shutdown()
	n.WaitForShutdown()
}
