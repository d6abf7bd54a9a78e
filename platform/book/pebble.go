package book

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/bloom"
	"google.golang.org/protobuf/proto"

	bookv1 "breakbank/proto/book/v1"
)

// Sizes of an engine, small because three of them share a process.
const (
	blockCacheBytes = 8 << 20
	memTableBytes   = 4 << 20
	// bloomBitsPerKey is RocksDB's default, about 1 % false positives: most
	// idempotency keys looked up have never been seen.
	bloomBitsPerKey = 10
)

// ErrReadOnly is returned for operations on a store opened for reading.
var ErrReadOnly = errors.New("store is open for reading only")

// Options of a pebble store.
type Options struct {
	// Durability is Fsync when empty.
	Durability Durability
	// Now dates the entries; time.Now when nil.
	Now func() time.Time
	// ReadOnly opens what another process left behind, changing nothing.
	ReadOnly bool
	Log      *slog.Logger
}

// Pebble is a [Store] on cockroachdb/pebble. One process owns a directory at a
// time.
//
// Operations are committed in groups: whatever has queued up while the last
// group was being written goes to disk together, with one sync.
type Pebble struct {
	db    *pebble.DB
	cache *pebble.Cache
	now   func() time.Time

	queue   chan *request
	quit    chan struct{} // closed to stop the committer
	stopped chan struct{} // closed when it has stopped; nil in a read-only store

	// tail is the durable end of the journal; advanced is closed and replaced
	// when it moves.
	tailMu   sync.Mutex
	tail     int64
	advanced chan struct{}

	committed commitCounts

	// closeMu keeps reads off a database that is being closed.
	closeMu sync.RWMutex
	closed  bool
}

var _ Store = (*Pebble)(nil)

// OpenPebble opens the store in dir, or makes one. The caller closes it.
func OpenPebble(dir string, options Options) (*Pebble, error) {
	fs, err := options.Durability.fileSystem()
	if err != nil {
		return nil, fmt.Errorf("open book %s: %w", dir, err)
	}
	if options.Now == nil {
		options.Now = time.Now
	}
	if options.Log == nil {
		options.Log = slog.New(slog.DiscardHandler)
	}
	cache := pebble.NewCache(blockCacheBytes)
	config := &pebble.Options{
		FS:                 fs,
		Cache:              cache,
		MemTableSize:       memTableBytes,
		FormatMajorVersion: pebble.FormatNewest,
		ReadOnly:           options.ReadOnly,
		ErrorIfNotExists:   options.ReadOnly,
		Logger:             engineLog{options.Log},
	}
	for i := range config.Levels {
		config.Levels[i].FilterPolicy = bloom.FilterPolicy(bloomBitsPerKey)
	}
	db, err := pebble.Open(dir, config)
	if err != nil {
		cache.Unref()
		return nil, fmt.Errorf("open book %s: %w", dir, err)
	}
	p := &Pebble{db: db, cache: cache, now: options.Now, advanced: make(chan struct{})}
	if p.tail, err = lastSequence(db); err != nil {
		return nil, errors.Join(fmt.Errorf("open book %s: %w", dir, err), p.Close())
	}
	if !options.ReadOnly {
		p.queue = make(chan *request, queueLength)
		p.quit = make(chan struct{})
		p.stopped = make(chan struct{})
		go p.commitLoop()
	}
	return p, nil
}

// Close takes no more operations, finishes those queued and closes the
// engine.
func (p *Pebble) Close() error {
	p.closeMu.Lock()
	if p.closed {
		p.closeMu.Unlock()
		return nil
	}
	p.closed = true
	p.closeMu.Unlock()
	if p.stopped != nil {
		close(p.quit)
		<-p.stopped
	}
	err := p.db.Close()
	p.cache.Unref()
	if err != nil {
		return fmt.Errorf("close book: %w", err)
	}
	return nil
}

// reading runs f unless the store is closed.
func (p *Pebble) reading(f func() error) error {
	p.closeMu.RLock()
	defer p.closeMu.RUnlock()
	if p.closed {
		return ErrClosed
	}
	return f()
}

// Account implements [Store].
func (p *Pebble) Account(ctx context.Context, id string) (*bookv1.Account, error) {
	if err := ctx.Err(); err != nil {
		return nil, fmt.Errorf("read account %q: %w", id, err)
	}
	var a *bookv1.Account
	err := p.reading(func() (err error) {
		a, err = readAccount(p.db, id)
		return err
	})
	switch {
	case err != nil:
		return nil, fmt.Errorf("read account %q: %w", id, err)
	case a != nil:
		return a, nil
	case IsBank(id):
		return &bookv1.Account{Id: id, State: StateActive}, nil
	default:
		return nil, fmt.Errorf("read account %q: %w", id, ErrNoSuchAccount)
	}
}

// Entries implements [Store]. It shows only what is durable.
func (p *Pebble) Entries(ctx context.Context, from int64, limit int) ([]*bookv1.Entry, error) {
	from = max(from, 1)
	to := p.Tail()
	limit = min(limit, MaxEntries)
	if limit <= 0 || from > to {
		return nil, ctx.Err()
	}
	to = min(to, from+int64(limit)-1)
	entries := make([]*bookv1.Entry, 0, to-from+1)
	err := p.reading(func() error {
		return scan(ctx, p.db, journalKey(from), journalKey(to+1), func(_, value []byte) error {
			e := new(bookv1.Entry)
			if err := proto.Unmarshal(value, e); err != nil {
				return fmt.Errorf("%w: entry: %w", errCorrupt, err)
			}
			entries = append(entries, e)
			return nil
		})
	})
	if err != nil {
		return nil, fmt.Errorf("read journal from %d: %w", from, err)
	}
	return entries, nil
}

// EachAccount calls f with every account, in order of their ids, as they all
// were at one moment, and returns the sequence of the last entry before it.
func (p *Pebble) EachAccount(ctx context.Context, f func(*bookv1.Account) error) (int64, error) {
	var last int64
	err := p.reading(func() (err error) {
		snapshot := p.db.NewSnapshot()
		defer func() { err = errors.Join(err, snapshot.Close()) }()
		if last, err = lastSequence(snapshot); err != nil {
			return err
		}
		return scan(ctx, snapshot, []byte{accountPrefix}, []byte{accountPrefix + 1}, func(_, value []byte) error {
			a := new(bookv1.Account)
			if err := proto.Unmarshal(value, a); err != nil {
				return fmt.Errorf("%w: account: %w", errCorrupt, err)
			}
			return f(a)
		})
	})
	if err != nil {
		return 0, fmt.Errorf("read all accounts: %w", err)
	}
	return last, nil
}

// Tail is the sequence of the last durable entry, 0 when there is none.
func (p *Pebble) Tail() int64 {
	p.tailMu.Lock()
	defer p.tailMu.Unlock()
	return p.tail
}

// Await returns the tail once it is beyond the sequence given, or an error
// when ctx ends or the store is closed first.
func (p *Pebble) Await(ctx context.Context, beyond int64) (int64, error) {
	for {
		p.tailMu.Lock()
		tail, advanced := p.tail, p.advanced
		p.tailMu.Unlock()
		if tail > beyond {
			return tail, nil
		}
		select {
		case <-advanced:
		case <-p.stopped:
			return tail, ErrClosed
		case <-ctx.Done():
			return tail, ctx.Err()
		}
	}
}

func (p *Pebble) advance(tail int64) {
	p.tailMu.Lock()
	defer p.tailMu.Unlock()
	if tail > p.tail {
		p.tail = tail
		close(p.advanced)
		p.advanced = make(chan struct{})
	}
}

// engineLog turns the engine's chatter into debug lines.
type engineLog struct{ log *slog.Logger }

func (l engineLog) Infof(format string, args ...any) {
	if l.log.Enabled(context.Background(), slog.LevelDebug) {
		l.log.Debug(fmt.Sprintf(format, args...))
	}
}

func (l engineLog) Errorf(format string, args ...any) { l.log.Error(fmt.Sprintf(format, args...)) }

// Fatalf must not return: the engine calls it when going on would damage data.
func (l engineLog) Fatalf(format string, args ...any) { panic(fmt.Sprintf(format, args...)) }
