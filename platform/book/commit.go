package book

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/cockroachdb/pebble/v2"
	"google.golang.org/protobuf/proto"

	bookv1 "breakbank/proto/book/v1"
)

// Bounds of group commit.
const (
	// queueLength is how many requests may wait for the committer; more wait
	// to be queued.
	queueLength = 4096
	// maxGroup is how many operations go to disk together.
	maxGroup = 512
)

// request is one or more operations of one caller, answered together.
type request struct {
	ops     []*bookv1.Operation
	answers []answer
	done    chan struct{}
}

type answer struct {
	result Result
	err    error
}

func newRequest(ops ...*bookv1.Operation) *request {
	return &request{ops: ops, answers: make([]answer, len(ops)), done: make(chan struct{})}
}

// Apply implements [Store].
func (p *Pebble) Apply(ctx context.Context, op *bookv1.Operation) (Result, error) {
	r := newRequest(op)
	if err := p.submit(ctx, r); err != nil {
		return Result{}, fmt.Errorf("apply %q: %w", op.GetKey(), err)
	}
	return r.answers[0].result, r.answers[0].err
}

// Seed performs many operations, in order and in groups. What was done stays
// done when it returns an error; seeding again with the same keys goes on
// from there. A refusal is an error: a seed must fit.
func (p *Pebble) Seed(ctx context.Context, ops []*bookv1.Operation) error {
	for start := 0; start < len(ops); start += maxGroup {
		r := newRequest(ops[start:min(start+maxGroup, len(ops))]...)
		if err := p.submit(ctx, r); err != nil {
			return fmt.Errorf("seed from operation %d: %w", start, err)
		}
		for i, a := range r.answers {
			if a.err != nil {
				return fmt.Errorf("seed operation %d: %w", start+i, a.err)
			}
			if a.result.Refusal != bookv1.Refusal_REFUSAL_UNSPECIFIED {
				return fmt.Errorf("seed operation %d, key %q: refused: %v", start+i, r.ops[i].GetKey(), a.result.Refusal)
			}
		}
	}
	return nil
}

// submit hands r to the committer and waits for the answers.
func (p *Pebble) submit(ctx context.Context, r *request) error {
	if p.stopped == nil {
		return ErrReadOnly
	}
	select {
	case <-p.quit:
		return ErrClosed
	default:
	}
	select {
	case p.queue <- r:
	case <-p.quit:
		return ErrClosed
	case <-ctx.Done():
		return ctx.Err()
	}
	select {
	case <-r.done:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	case <-p.stopped:
	}
	select {
	case <-r.done:
		return nil
	default:
		return ErrClosed // queued behind the committer's back, never taken
	}
}

// commitLoop is the committer: the only writer of the journal.
func (p *Pebble) commitLoop() {
	defer close(p.stopped)
	// broken is why nothing can be committed any more.
	var broken error
	for {
		var r *request
		select {
		case r = <-p.queue:
		case <-p.quit:
			select {
			case r = <-p.queue:
			default:
				return
			}
		}
		group := p.gather(r)
		if broken == nil {
			broken = p.commit(group)
		}
		for _, r := range group {
			for i := range r.answers {
				if broken != nil {
					r.answers[i] = answer{err: fmt.Errorf("commit, outcome unknown: %w", broken)}
				}
			}
			close(r.done)
		}
	}
}

// gather takes what has queued up behind the first request. It never waits:
// while one group is being written the next one forms by itself.
func (p *Pebble) gather(first *request) []*request {
	group, ops := []*request{first}, len(first.ops)
	for ops < maxGroup {
		select {
		case r := <-p.queue:
			group = append(group, r)
			ops += len(r.ops)
		default:
			return group
		}
	}
	return group
}

// commit decides a group and makes it durable, or returns the engine's error,
// after which the state on disk is uncertain.
func (p *Pebble) commit(group []*request) (err error) {
	view := newGroupView(p.db)
	batch := p.db.NewBatch()
	defer func() { err = errors.Join(err, batch.Close()) }()

	tail, now := p.Tail(), p.now()
	for _, r := range group {
		for i, op := range r.ops {
			d, err := view.decide(batch, op, tail+1, now)
			if err != nil {
				r.answers[i].err = err
				continue
			}
			r.answers[i].result = d.Result
			if d.Entry != nil {
				tail = d.Entry.GetSequence()
			}
		}
	}
	if batch.Empty() {
		return nil
	}
	if err := view.writeTo(batch); err != nil {
		return fmt.Errorf("write group: %w", err)
	}
	began := time.Now()
	if err := batch.Commit(pebble.Sync); err != nil {
		return fmt.Errorf("commit group: %w", err)
	}
	p.committed.add(tail-p.Tail(), time.Since(began))
	p.advance(tail)
	return nil
}

// groupView is the state on disk overlaid with what the group being committed
// has decided so far, so that its operations see each other.
type groupView struct {
	db       *pebble.DB
	accounts map[string]*bookv1.Account
	holds    map[string]Hold
	keys     map[string]KeyRecord
}

func newGroupView(db *pebble.DB) *groupView {
	return &groupView{
		db:       db,
		accounts: make(map[string]*bookv1.Account),
		holds:    make(map[string]Hold),
		keys:     make(map[string]KeyRecord),
	}
}

// decide decides op, overlays what it comes to and adds the entry to the
// batch. Accounts, holds and keys are added once, by writeTo.
func (v *groupView) decide(batch *pebble.Batch, op *bookv1.Operation, sequence int64, at time.Time) (*Decision, error) {
	d, err := Decide(v, op, sequence, at)
	if err != nil || d.Entry == nil {
		return d, err
	}
	entry, err := proto.Marshal(d.Entry)
	if err != nil {
		return nil, fmt.Errorf("%w %q: %w", ErrInvalid, op.GetKey(), err)
	}
	if err := batch.Set(journalKey(sequence), entry, nil); err != nil {
		return nil, fmt.Errorf("journal %q: %w", op.GetKey(), err)
	}
	for _, a := range d.Accounts {
		v.accounts[a.GetId()] = a
	}
	if d.HoldKey != "" {
		v.holds[d.HoldKey] = d.Hold
	}
	v.keys[op.GetKey()] = d.Key
	return d, nil
}

func (v *groupView) writeTo(batch *pebble.Batch) error {
	for id, a := range v.accounts {
		value, err := proto.Marshal(a)
		if err != nil {
			return fmt.Errorf("account %q: %w", id, err)
		}
		if err := batch.Set(named(accountPrefix, id), value, nil); err != nil {
			return fmt.Errorf("account %q: %w", id, err)
		}
	}
	for key, h := range v.holds {
		if err := batch.Set(named(holdPrefix, key), encodeHold(h), nil); err != nil {
			return fmt.Errorf("hold %q: %w", key, err)
		}
	}
	for key, k := range v.keys {
		if err := batch.Set(named(keyPrefix, key), encodeKey(k), nil); err != nil {
			return fmt.Errorf("key %q: %w", key, err)
		}
	}
	return nil
}

// Account implements [View].
func (v *groupView) Account(id string) (*bookv1.Account, error) {
	if a, ok := v.accounts[id]; ok {
		return a, nil
	}
	return readAccount(v.db, id)
}

// Hold implements [View].
func (v *groupView) Hold(key string) (Hold, bool, error) {
	if h, ok := v.holds[key]; ok {
		return h, true, nil
	}
	return readHold(v.db, key)
}

// Key implements [View].
func (v *groupView) Key(key string) (KeyRecord, bool, error) {
	if k, ok := v.keys[key]; ok {
		return k, true, nil
	}
	return readKey(v.db, key)
}
