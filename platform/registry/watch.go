package registry

import (
	"context"
	"fmt"
	"strings"

	clientv3 "go.etcd.io/etcd/client/v3"
)

// watchBuffer is how many events a watch holds for a reader that is behind.
// Beyond it, the etcd client holds them.
const watchBuffer = 64

// EventType says what a watch reports.
type EventType int

const (
	// Put is an object created or replaced; Raw is the new one, Previous the
	// one before, if etcd still had it.
	Put EventType = iota + 1
	// Delete is an object removed; Raw is its last state, with the revision of
	// its deletion.
	Delete
	// Progress says that everything up to Revision has been reported.
	Progress
	// Error ends the watch: Err says why. rpctypes.ErrCompacted means that the
	// revision asked for is gone; rpctypes.ErrNoLeader that the member has
	// lost the quorum.
	Error
)

// Event is one thing that a watch reports, in the order of revisions.
type Event struct {
	Type     EventType
	Raw      Raw
	Previous Raw // of a Put that replaced an object: the one before
	Revision int64
	Err      error
}

// Watch reports what happens to a resource from a revision on, that one
// included: after a list at revision r, watch from r+1; 0 means from now. The
// channel closes when the context ends, or after an Error event. A watch
// whose member has lost the quorum ends with an error rather than staying
// silent about it.
//
// Progress events come when RequestProgress is called with the same client.
func (s *Store) Watch(ctx context.Context, resource string, fromRev int64) (<-chan Event, error) {
	kind, ok := KindOf(resource)
	if !ok {
		return nil, fmt.Errorf("watch: %w %q", ErrUnknownResource, resource)
	}
	opts := []clientv3.OpOption{clientv3.WithPrefix(), clientv3.WithPrevKV(), clientv3.WithProgressNotify()}
	if fromRev > 0 {
		opts = append(opts, clientv3.WithRev(fromRev))
	}
	responses := s.etcd.Watch(clientv3.WithRequireLeader(ctx), kind.prefix(), opts...)
	events := make(chan Event, watchBuffer)
	go func() {
		defer close(events)
		for resp := range responses {
			for _, event := range translate(kind, resp) {
				select {
				case events <- event:
				case <-ctx.Done():
					return
				}
			}
		}
	}()
	return events, nil
}

// RequestProgress asks etcd to confirm, on the connection of this Store's
// watches, how far they have got. The answer arrives as a Progress event of
// each of them.
func (s *Store) RequestProgress(ctx context.Context) error {
	if err := s.etcd.RequestProgress(clientv3.WithRequireLeader(ctx)); err != nil {
		return fmt.Errorf("request watch progress: %w", err)
	}
	return nil
}

func translate(kind Kind, resp clientv3.WatchResponse) []Event {
	if err := resp.Err(); err != nil {
		return []Event{{Type: Error, Revision: resp.Header.GetRevision(), Err: fmt.Errorf("watch %s: %w", kind.Resource, err)}}
	}
	if resp.IsProgressNotify() {
		return []Event{{Type: Progress, Revision: resp.Header.GetRevision()}}
	}
	events := make([]Event, 0, len(resp.Events))
	for _, ev := range resp.Events {
		name := strings.TrimPrefix(string(ev.Kv.Key), kind.prefix())
		event := Event{Type: Put, Revision: ev.Kv.ModRevision}
		event.Raw = Raw{Name: name, Revision: ev.Kv.ModRevision, JSON: ev.Kv.Value}
		if ev.PrevKv != nil {
			event.Previous = Raw{Name: name, Revision: ev.PrevKv.ModRevision, JSON: ev.PrevKv.Value}
		}
		if ev.Type == clientv3.EventTypeDelete {
			event.Type = Delete
			event.Raw.JSON = event.Previous.JSON
			event.Previous = Raw{}
		}
		events = append(events, event)
	}
	return events
}
