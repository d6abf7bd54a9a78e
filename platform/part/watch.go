package part

import (
	"bytes"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"

	adminv1 "breakbank/proto/admin/v1"
)

// Bounds of watching.
const (
	// watchersMax is how many may watch a part at once: its control process,
	// what is left of connections to an earlier one, and the curious.
	watchersMax = 16

	intervalDefault = 250 * time.Millisecond
	intervalLeast   = 20 * time.Millisecond
	intervalMost    = beatEvery
)

// watcher is one stream of states.
type watcher struct {
	wake chan struct{} // holds a token when something was done
}

// WatchPart sends the state when it has changed, and a beat once a second. It
// looks as often as it is asked to, and when something has been done.
func (s *Server) WatchPart(req *adminv1.WatchPartRequest, stream adminv1.PartService_WatchPartServer) error {
	interval := time.Duration(req.GetIntervalMs()) * time.Millisecond
	switch {
	case interval < 0:
		return status.Error(codes.InvalidArgument, "interval_ms must not be negative")
	case interval == 0:
		interval = intervalDefault
	}
	w, err := s.join()
	if err != nil {
		return err
	}
	defer s.leave(w)
	look := time.NewTicker(min(max(interval, intervalLeast), intervalMost))
	defer look.Stop()
	var sent sentState
	for {
		if err := sent.send(s, stream); err != nil {
			return err
		}
		select {
		case <-stream.Context().Done():
			return status.FromContextError(stream.Context().Err()).Err()
		case <-s.closed:
			return status.Error(codes.Unavailable, "the part is ending")
		case <-w.wake:
		case <-look.C:
		}
	}
}

func (s *Server) join() (*watcher, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.watchers) >= watchersMax {
		return nil, status.Errorf(codes.ResourceExhausted, "%d watch %s already", watchersMax, s.offers.Name)
	}
	w := &watcher{wake: make(chan struct{}, 1)}
	s.watchers[w] = struct{}{}
	return w, nil
}

func (s *Server) leave(w *watcher) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.watchers, w)
}

// sentState is what a watcher knows.
type sentState struct {
	at    time.Time
	bytes []byte // the message without its table
	next  []byte // kept for its memory
	table sentTable
}

// send sends the state, if there is something to tell.
func (s *sentState) send(server *Server, stream adminv1.PartService_WatchPartServer) error {
	m, table, version := server.look()
	var err error
	if s.next, err = (proto.MarshalOptions{Deterministic: true}).MarshalAppend(s.next[:0], m); err != nil {
		return status.Errorf(codes.Internal, "encode the state: %v", err)
	}
	changed := m.GetNode() != nil && !s.table.is(table, version)
	now := time.Now()
	// Half a look early rather than one too late: looks are not quite regular.
	due := s.at.IsZero() || now.Sub(s.at) >= beatEvery*9/10
	if !changed && !due && bytes.Equal(s.next, s.bytes) {
		return nil
	}
	if changed {
		router := m.GetNode().GetRouter()
		router.TableChanged, router.Table = true, encodeTable(table)
		s.table = sentTable{table, version, true}
	}
	s.at, s.bytes, s.next = now, s.next, s.bytes
	return stream.Send(m)
}
