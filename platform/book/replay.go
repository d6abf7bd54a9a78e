package book

import (
	"errors"
	"fmt"

	"google.golang.org/protobuf/proto"

	bookv1 "breakbank/proto/book/v1"
)

// ErrJournal means that a journal cannot have come about: a gap, or an entry
// that the entries before it do not lead to.
var ErrJournal = errors.New("journal is inconsistent")

// Replay rebuilds a book from its journal, deciding each entry again. It is
// the model that stores are held against: it keeps everything in memory and
// is not safe for concurrent use.
type Replay struct {
	accounts map[string]*bookv1.Account
	holds    map[string]Hold
	keys     map[string]KeyRecord
	last     int64
}

// NewReplay returns the empty book.
func NewReplay() *Replay {
	return &Replay{
		accounts: make(map[string]*bookv1.Account),
		holds:    make(map[string]Hold),
		keys:     make(map[string]KeyRecord),
	}
}

// Add replays the next entry, or returns ErrJournal and changes nothing.
func (r *Replay) Add(e *bookv1.Entry) error {
	if e.GetSequence() != r.last+1 {
		return fmt.Errorf("%w: entry %d after entry %d", ErrJournal, e.GetSequence(), r.last)
	}
	d, err := Decide(r, e.GetOperation(), e.GetSequence(), e.GetAt().AsTime())
	switch {
	case err != nil:
		return fmt.Errorf("%w: entry %d: %w", ErrJournal, e.GetSequence(), err)
	case d.Entry == nil:
		return fmt.Errorf("%w: entry %d repeats the key of entry %d", ErrJournal, e.GetSequence(), d.Result.Sequence)
	case !proto.Equal(d.Entry, e):
		return fmt.Errorf("%w: entry %d says %v, what went before makes it %v", ErrJournal, e.GetSequence(), e, d.Entry)
	}
	r.take(d)
	return nil
}

func (r *Replay) take(d *Decision) {
	for _, a := range d.Accounts {
		r.accounts[a.GetId()] = a
	}
	if d.HoldKey != "" {
		r.holds[d.HoldKey] = d.Hold
	}
	r.keys[d.Entry.GetOperation().GetKey()] = d.Key
	r.last = d.Entry.GetSequence()
}

// Accounts returns every account as the entries so far leave it. The map is
// the replay's own and must not be changed.
func (r *Replay) Accounts() map[string]*bookv1.Account { return r.accounts }

// Last is the sequence of the last entry added.
func (r *Replay) Last() int64 { return r.last }

// Account implements [View].
func (r *Replay) Account(id string) (*bookv1.Account, error) { return r.accounts[id], nil }

// Hold implements [View].
func (r *Replay) Hold(key string) (Hold, bool, error) {
	h, ok := r.holds[key]
	return h, ok, nil
}

// Key implements [View].
func (r *Replay) Key(key string) (KeyRecord, bool, error) {
	k, ok := r.keys[key]
	return k, ok, nil
}
