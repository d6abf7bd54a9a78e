package deploy

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"breakbank/platform/registry"
)

// Bounds of writing.
const (
	writeLimit = 5 * time.Second
	// retryPause is how long a controller whose write failed waits before it
	// looks at the registry again, if nothing changes there meanwhile.
	retryPause = 200 * time.Millisecond
	// writesAtOnce bounds the writes that one controller has under way.
	writesAtOnce = 4
)

// loop runs step at every wake, and again after the time that step asks for;
// 0 asks for nothing. It returns when ctx ends.
func loop(ctx context.Context, wake <-chan struct{}, step func(context.Context) (again time.Duration)) {
	timer := time.NewTimer(0)
	defer timer.Stop()
	timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-wake:
		case <-timer.C:
		}
		timer.Stop()
		if again := step(ctx); again > 0 {
			timer.Reset(again)
		}
	}
}

// writer writes to the registry, each time within writeLimit.
type writer struct {
	store  *registry.Store
	log    *slog.Logger
	writes *writeCounts // nil: not counted
}

func (w writer) create(ctx context.Context, resource string, obj registry.Object) error {
	ctx, cancel := context.WithTimeout(ctx, writeLimit)
	defer cancel()
	return w.writes.counted(resource, w.store.Create(ctx, resource, obj))
}

// update leaves an object that has changed or gone since it was read alone:
// the watch brings what it is now, and with that the next look at it.
func (w writer) update(ctx context.Context, resource string, obj registry.Object) (done bool, err error) {
	ctx, cancel := context.WithTimeout(ctx, writeLimit)
	defer cancel()
	err = w.writes.counted(resource, w.store.Update(ctx, resource, obj))
	if errors.Is(err, registry.ErrConflict) || errors.Is(err, registry.ErrNotFound) {
		return false, nil
	}
	return err == nil, err
}

// put stores an object whether or not there is one of its name.
func (w writer) put(ctx context.Context, resource string, obj registry.Object) error {
	ctx, cancel := context.WithTimeout(ctx, writeLimit)
	defer cancel()
	obj.SetResourceVersion("")
	err := w.store.Update(ctx, resource, obj)
	if errors.Is(err, registry.ErrNotFound) {
		err = w.store.Create(ctx, resource, obj)
	}
	return w.writes.counted(resource, err)
}

// remove deletes an object, if there is one.
func (w writer) remove(ctx context.Context, resource, name string) error {
	ctx, cancel := context.WithTimeout(ctx, writeLimit)
	defer cancel()
	err := w.writes.counted(resource, w.store.Delete(ctx, resource, name))
	if errors.Is(err, registry.ErrNotFound) {
		return nil
	}
	return err
}

// failed logs a write that went wrong, unless it did so because ctx ended, and
// returns when to try again.
func (w writer) failed(ctx context.Context, doing string, err error) time.Duration {
	if ctx.Err() == nil {
		w.log.Warn(doing, "error", err)
	}
	return retryPause
}
