package dns

import (
	"errors"
	"fmt"
	"log/slog"
	"net"
	"sync"

	"breakbank/platform/router/discovery"
	"breakbank/platform/router/informer"
)

// ServerConfig says where a server answers, and what it follows.
type ServerConfig struct {
	// Conn is where questions come in. It is the server's from now on, even if
	// that cannot be started.
	Conn net.PacketConn
	// APIServers are base URLs, own zone first.
	APIServers []string
	Log        *slog.Logger
}

// Server answers until it is closed.
type Server struct {
	config   ServerConfig
	informer *informer.Informer
	serving  sync.WaitGroup

	mu       sync.RWMutex
	synced   bool
	services map[string][]discovery.Endpoint
}

// StartServer starts a server. Until its first list is complete it answers
// SERVFAIL.
func StartServer(c ServerConfig) (*Server, error) {
	s := &Server{config: c, services: map[string][]discovery.Endpoint{}}
	var err error
	s.informer, err = informer.Start(informer.Config{APIServers: c.APIServers, Apply: s.apply, Log: c.Log})
	if err != nil {
		return nil, errors.Join(fmt.Errorf("start DNS server: %w", err), c.Conn.Close())
	}
	s.serving.Go(s.serve)
	return s, nil
}

// Synced reports whether the server knows what there is.
func (s *Server) Synced() bool {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return s.synced
}

// Addr is where the server answers (host:port).
func (s *Server) Addr() string { return s.config.Conn.LocalAddr().String() }

// Close stops the server and waits for it.
func (s *Server) Close() error {
	s.informer.Close()
	err := s.config.Conn.Close()
	s.serving.Wait()
	return err
}

// apply takes what the informer says.
func (s *Server) apply(changes []discovery.Publish, state discovery.State) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.synced = state.Synced
	for _, change := range changes {
		for _, entry := range change.Entries {
			s.services[entry.Service] = entry.Endpoints
		}
		for _, name := range change.Removed {
			delete(s.services, name)
		}
	}
}

// lookup returns the instances of a service, and whether there is such a one.
func (s *Server) lookup(service string) (endpoints []discovery.Endpoint, known, synced bool) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	endpoints, known = s.services[service]
	return endpoints, known, s.synced
}

// serve answers one question after the other; what does not even begin as one
// gets no answer.
func (s *Server) serve() {
	question := make([]byte, payloadBytes+1) // What is longer is seen to be.
	for {
		n, from, err := s.config.Conn.ReadFrom(question)
		if errors.Is(err, net.ErrClosed) {
			return
		}
		if err != nil {
			continue // Of one datagram, such as that a client's port is closed.
		}
		answer, err := s.answer(question[:n])
		if err != nil {
			s.config.Log.Debug("a question that cannot be answered", "from", from, "error", err)
			continue
		}
		if _, err := s.config.Conn.WriteTo(answer, from); err != nil && !errors.Is(err, net.ErrClosed) {
			s.config.Log.Debug("answering", "to", from, "error", err)
		}
	}
}
