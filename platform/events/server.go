package events

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"strings"
	"time"

	"github.com/nats-io/nats-server/v2/server"
)

const (
	// startWait bounds the recovery of streams from disk at start.
	startWait = 30 * time.Second
	// maxStoreBytes and maxMemoryBytes are what JetStream may take; without
	// them the server would measure the machine at start.
	maxStoreBytes  = 32 << 30
	maxMemoryBytes = 256 << 20
)

// ServerConfig says where an embedded server keeps its streams and listens.
type ServerConfig struct {
	Dir string
	// Listener is where to listen on; nil means Port, and if that is 0 too,
	// any free port. nats-server opens its socket itself, so the listener is
	// closed and its address taken over.
	Listener net.Listener
	Port     int
	Log      *slog.Logger
}

// Server is an embedded nats-server with JetStream.
type Server struct{ nats *server.Server }

// StartServer starts a server in this process and creates the streams, or
// recovers them. The caller closes it.
func StartServer(config ServerConfig) (*Server, error) {
	host, port := "127.0.0.1", config.Port
	if config.Listener != nil {
		addr, ok := config.Listener.Addr().(*net.TCPAddr)
		if !ok {
			return nil, fmt.Errorf("start events: %v is not a TCP address", config.Listener.Addr())
		}
		host, port = addr.IP.String(), addr.Port
		if err := config.Listener.Close(); err != nil {
			return nil, fmt.Errorf("start events: take over the listener: %w", err)
		}
	}
	if port == 0 {
		port = server.RANDOM_PORT
	}
	if config.Log == nil {
		config.Log = slog.New(slog.DiscardHandler)
	}
	n, err := server.NewServer(&server.Options{
		ServerName: "breakbank", Host: host, Port: port,
		JetStream: true, StoreDir: config.Dir, SyncAlways: true,
		JetStreamMaxStore: maxStoreBytes, JetStreamMaxMemory: maxMemoryBytes,
		NoSigs: true,
	})
	if err != nil {
		return nil, fmt.Errorf("start events in %s: %w", config.Dir, err)
	}
	n.SetLoggerV2(serverLog{config.Log}, false, false, false)
	n.Start()
	s := &Server{nats: n}
	if !n.ReadyForConnections(startWait) {
		s.Close()
		return nil, fmt.Errorf("start events in %s: not ready after %v", config.Dir, startWait)
	}
	if err := s.createStreams(); err != nil {
		s.Close()
		return nil, fmt.Errorf("start events in %s: %w", config.Dir, err)
	}
	return s, nil
}

func (s *Server) createStreams() error {
	ctx, cancel := context.WithTimeout(context.Background(), startWait)
	defer cancel()
	bus, err := Connect(ctx, s.URL())
	if err != nil {
		return err
	}
	return errors.Join(bus.CreateStreams(ctx), bus.Close())
}

// URL is what to connect to.
func (s *Server) URL() string { return s.nats.ClientURL() }

// SyncsAlways says whether the server syncs every write to disk before it
// acknowledges it, but in streams that ask for less.
func (s *Server) SyncsAlways() bool {
	config := s.nats.JetStreamConfig()
	return config != nil && config.SyncAlways
}

// Close stops the server and waits until its streams are on disk.
func (s *Server) Close() {
	s.nats.Shutdown()
	s.nats.WaitForShutdown()
}

// serverLog turns the server's notices into debug lines: it announces every
// start at length.
type serverLog struct{ log *slog.Logger }

func (l serverLog) Noticef(format string, v ...any) { l.log.Debug(unquoted(format, v)) }
func (l serverLog) Warnf(format string, v ...any)   { l.log.Warn(unquoted(format, v)) }
func (l serverLog) Fatalf(format string, v ...any)  { l.log.Error(unquoted(format, v)) }
func (l serverLog) Errorf(format string, v ...any)  { l.log.Error(unquoted(format, v)) }
func (l serverLog) Debugf(format string, v ...any)  { l.log.Debug(unquoted(format, v)) }
func (l serverLog) Tracef(format string, v ...any)  { l.log.Debug(unquoted(format, v)) }

// ofClient is in each line about a connection (nats-server's clientConnStr).
const ofClient = " - cid:"

// unquoted is a line of the server's. Of one about a connection, what follows
// the first quotation mark is left out: it is what the client has sent.
func unquoted(format string, v []any) string {
	line := fmt.Sprintf(format, v...)
	if !strings.Contains(line, ofClient) {
		return line
	}
	if at := strings.IndexAny(line, "'\""); at >= 0 {
		line = line[:at] + "…"
	}
	return line
}
