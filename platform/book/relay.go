package book

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/cockroachdb/pebble/v2"

	bookv1 "breakbank/proto/book/v1"
)

// Bounds of a relay.
const (
	// relayBatch is how many entries are published between two notes of the
	// position.
	relayBatch = 256
	// relayRetryMin doubles up to relayRetryMax while the outlet is away.
	relayRetryMin = 100 * time.Millisecond
	relayRetryMax = 2 * time.Second
)

// Outlet is where a relay publishes to. After an error it is closed and
// another one opened.
type Outlet interface {
	// Last is the sequence of the newest entry published of a store, 0 when
	// there is none.
	Last(ctx context.Context, store string) (int64, error)
	// Publish publishes entries, which follow Last without a gap, and returns
	// once all are taken. After an error a first part of them may be.
	Publish(ctx context.Context, store string, entries []*bookv1.Entry) error
	Close() error
}

// RelayConfig says what is published, and where.
type RelayConfig struct {
	// Name is the store's name in the events.
	Name  string
	Store *Pebble
	// Open opens an outlet, or fails while it is away.
	Open func(context.Context) (Outlet, error)
	Log  *slog.Logger
}

// Relay publishes a store's journal, which thereby is the outbox: an entry is
// published because it was committed, never otherwise, in order and without a
// gap. It goes on from what the outlet has last, so an outlet that lost its
// end, or everything, is filled up again.
type Relay struct {
	config RelayConfig
	cancel context.CancelFunc
	done   sync.WaitGroup
}

// StartRelay starts the relay; the caller stops it before closing the store.
func StartRelay(config RelayConfig) *Relay {
	if config.Log == nil {
		config.Log = slog.New(slog.DiscardHandler)
	}
	ctx, cancel := context.WithCancel(context.Background())
	r := &Relay{config: config, cancel: cancel}
	r.done.Go(func() { r.run(ctx) })
	return r
}

// Stop stops the relay and waits for it. What is not published yet will be by
// the next relay of the store.
func (r *Relay) Stop() {
	r.cancel()
	r.done.Wait()
}

func (r *Relay) run(ctx context.Context) {
	pause := relayRetryMin
	for ctx.Err() == nil {
		began := time.Now()
		err := r.publish(ctx)
		if ctx.Err() != nil || errors.Is(err, ErrClosed) {
			return
		}
		if time.Since(began) > relayRetryMax {
			pause = relayRetryMin
		}
		r.config.Log.Warn("journal is not published", "store", r.config.Name, "error", err, "retry_in", pause)
		timer := time.NewTimer(pause)
		select {
		case <-timer.C:
		case <-ctx.Done():
		}
		timer.Stop()
		pause = min(2*pause, relayRetryMax)
	}
}

// publish opens an outlet and publishes to it until something fails.
func (r *Relay) publish(ctx context.Context) (err error) {
	outlet, err := r.config.Open(ctx)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, outlet.Close()) }()
	last, err := outlet.Last(ctx, r.config.Name)
	if err != nil {
		return err
	}
	noted, err := r.config.Store.Published()
	if err != nil {
		return err
	}
	switch {
	case last > r.config.Store.Tail():
		return fmt.Errorf("the outlet has entry %d of %s, the journal ends at %d: they do not belong together", last, r.config.Name, r.config.Store.Tail())
	case last < noted:
		r.config.Log.Warn("the outlet lost entries, publishing them again", "store", r.config.Name, "from", last+1, "to", noted)
	}
	for {
		if _, err := r.config.Store.Await(ctx, last); err != nil {
			return err
		}
		entries, err := r.config.Store.Entries(ctx, last+1, relayBatch)
		if err != nil {
			return err
		}
		if err := outlet.Publish(ctx, r.config.Name, entries); err != nil {
			return err
		}
		last = entries[len(entries)-1].GetSequence()
		if err := r.config.Store.notePublished(last); err != nil {
			return err
		}
	}
}

// Published is the sequence up to which the journal is known to be published.
func (p *Pebble) Published() (sequence int64, err error) {
	err = p.reading(func() error {
		_, err := read(p.db, positionKey(), func(b []byte) error {
			if len(b) != 8 {
				return fmt.Errorf("%w: position of %d bytes", errCorrupt, len(b))
			}
			sequence = int64(binary.BigEndian.Uint64(b))
			return nil
		})
		return err
	})
	if err != nil {
		return 0, fmt.Errorf("read the relay's position: %w", err)
	}
	return sequence, nil
}

// notePublished is not synced: after a crash the outlet knows better.
func (p *Pebble) notePublished(sequence int64) error {
	err := p.reading(func() error {
		return p.db.Set(positionKey(), binary.BigEndian.AppendUint64(nil, uint64(sequence)), pebble.NoSync)
	})
	if err != nil {
		return fmt.Errorf("note the relay's position: %w", err)
	}
	return nil
}

func positionKey() []byte { return named(metaPrefix, "position") }
