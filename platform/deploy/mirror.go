package deploy

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"breakbank/platform/registry"
)

// Bounds of following the registry.
const (
	listLimit = 5 * time.Second
	// A watch that is lost is taken up again after a pause that doubles from
	// the first to the second.
	resyncPauseMin = 50 * time.Millisecond
	resyncPauseMax = 2 * time.Second
)

var errWatchEnded = errors.New("the watch has ended")

// mirror keeps one resource of the view as the registry has it: a list, then
// a watch, and from the beginning again when that is lost or compacted away.
type mirror struct {
	resource string
	store    *registry.Store
	view     *view
	log      *slog.Logger

	once   sync.Once
	listed chan struct{} // closed after the first list
}

func (m *mirror) run(ctx context.Context) {
	pause := resyncPauseMin
	for ctx.Err() == nil {
		heard, err := m.follow(ctx)
		if ctx.Err() != nil {
			return
		}
		if heard {
			pause = resyncPauseMin
		}
		m.log.Warn("following the registry", "resource", m.resource, "error", err, "again_in", pause)
		rest(ctx, pause)
		pause = min(2*pause, resyncPauseMax)
	}
}

// follow lists, then watches until the watch ends, and says whether it heard
// anything.
func (m *mirror) follow(ctx context.Context) (heard bool, err error) {
	ctx, cancel := context.WithCancel(ctx) // Ends the watch, whatever happens.
	defer cancel()
	revision, err := m.list(ctx)
	if err != nil {
		return false, err
	}
	m.once.Do(func() { close(m.listed) })
	events, err := m.store.Watch(ctx, m.resource, revision+1)
	if err != nil {
		return true, err
	}
	for event := range events {
		switch event.Type {
		case registry.Put:
			obj, err := event.Raw.Decode(m.resource)
			if err != nil {
				m.log.Error("an object cannot be read and is passed over", "resource", m.resource, "name", event.Raw.Name, "error", err)
				continue
			}
			m.view.put(m.resource, obj)
		case registry.Delete:
			m.view.remove(m.resource, event.Raw.Name, event.Revision)
		case registry.Progress:
		case registry.Error:
			return true, event.Err
		}
	}
	return true, errWatchEnded
}

func (m *mirror) list(ctx context.Context) (int64, error) {
	ctx, cancel := context.WithTimeoutCause(ctx, listLimit, fmt.Errorf("list %s: no answer within %v", m.resource, listLimit))
	defer cancel()
	raws, revision, err := m.store.ListRaw(ctx, m.resource, registry.ReadOptions{})
	if err != nil {
		return 0, err
	}
	objects := make([]registry.Object, 0, len(raws))
	for _, raw := range raws {
		obj, err := raw.Decode(m.resource)
		if err != nil {
			m.log.Error("an object cannot be read and is passed over", "resource", m.resource, "name", raw.Name, "error", err)
			continue
		}
		objects = append(objects, obj)
	}
	m.view.replace(m.resource, objects, revision)
	return revision, nil
}

// rest waits for d or until ctx ends.
func rest(ctx context.Context, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
}
