package standin

import (
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/cockroachdb/pebble/v2"
	"google.golang.org/protobuf/types/known/timestamppb"

	bankv1 "breakbank/proto/bank/v1"
	bookv1 "breakbank/proto/book/v1"
	"breakbank/services/bank"
)

// holdings are stand-in's own copy of all current accounts and its decisions.
// The accounts are in memory and, once changed, on disk; the decisions are on
// disk. It is safe for concurrent use.
type holdings struct {
	disk *disk

	// mu orders changes: in memory and on disk the same.
	mu       sync.Mutex
	accounts map[string]account
	position uint64 // in the journal's stream
}

// openHoldings reads what was kept, on top of the accounts that were opened
// when the bank was seeded.
func openHoldings(d *disk, seed []*bookv1.Operation) (*holdings, error) {
	h := &holdings{disk: d, accounts: make(map[string]account, len(seed))}
	for _, op := range seed {
		for _, m := range movements(&bookv1.Entry{Operation: op}) {
			h.accounts[m.account] = openedBy(m)
		}
	}
	if err := d.accounts(func(id string, a account) { h.accounts[id] = a }); err != nil {
		return nil, err
	}
	var err error
	h.position, err = d.position()
	return h, err
}

// decide decides a payment once and keeps the decision; a repetition gets the
// first one. What it returns is durable here. The error is of kind Conflict
// for a key that was used for another payment.
func (h *holdings) decide(req *bankv1.AuthoriseRequest, now time.Time) (*decision, error) {
	made, batch, err := h.decideInMemory(req, now)
	if err != nil || batch == nil {
		return made, err
	}
	// Waiting outside the lock lets one sync serve all who decided meanwhile.
	return made, errors.Join(batch.SyncWait(), batch.Close())
}

func (h *holdings) decideInMemory(req *bankv1.AuthoriseRequest, now time.Time) (*decision, *pebble.Batch, error) {
	i, prepaid, err := bank.ParseCard(req.GetCardNumber())
	if err != nil || prepaid {
		return nil, nil, bank.Errorf(bank.Invalid, "stand-in decides for current-account cards only")
	}
	key, id := req.GetIdempotencyKey(), bank.CurrentAccount(i)

	h.mu.Lock()
	defer h.mu.Unlock()
	before, err := h.disk.decision(key)
	if err != nil {
		return nil, nil, err
	}
	if before != nil {
		return before, nil, samePayment(before.advice.GetAuthorisation(), req)
	}
	a, known := h.accounts[id]
	day := dayOf(now)
	made := &decision{advice: &bankv1.AdviseRequest{
		Authorisation: req,
		ResponseCode:  decide(bank.CustomerAt(i), a, known, req.GetAmountMinor(), day),
		DecidedAt:     timestamppb.New(now),
	}}
	changes := h.disk.begin()
	if made.advice.GetResponseCode() == bank.Approved {
		made.reserved = true
		a = a.reserve(req.GetAmountMinor(), day)
		if err := changes.account(id, a); err != nil {
			return nil, nil, fmt.Errorf("keep account %s: %w", id, err)
		}
	}
	if err := changes.decision(key, made); err != nil {
		return nil, nil, err
	}
	if err := h.disk.db.ApplyNoSyncWait(changes.batch, pebble.Sync); err != nil {
		return nil, nil, fmt.Errorf("keep decision %s: %w", key, err)
	}
	if made.reserved {
		h.accounts[id] = a
	}
	return made, changes.batch, nil
}

// samePayment refuses a key that was used for something else.
func samePayment(first, again *bankv1.AuthoriseRequest) error {
	if first.GetCardNumber() != again.GetCardNumber() || first.GetAmountMinor() != again.GetAmountMinor() {
		return bank.Errorf(bank.Conflict, "key %s was used for another payment", again.GetIdempotencyKey())
	}
	return nil
}

// take takes in an entry of the ledger's journal, which came as the message
// with the given place in the stream. An entry taken in before is skipped.
func (h *holdings) take(e *bookv1.Entry, position uint64) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	if position <= h.position {
		return nil
	}
	changes := h.disk.begin()
	after := make(map[string]account)
	for _, m := range movements(e) {
		if a, known := h.look(after, m.account); known {
			after[m.account] = a.move(m)
		} else if m.opened {
			after[m.account] = openedBy(m)
		}
	}
	if err := h.settle(e, changes, after); err != nil {
		return err
	}
	for id, a := range after {
		if err := changes.account(id, a); err != nil {
			return fmt.Errorf("keep account %s: %w", id, err)
		}
	}
	if err := changes.position(position); err != nil {
		return fmt.Errorf("keep position: %w", err)
	}
	// No sync: what the machine forgets is taken in again, for the position
	// is forgotten with it.
	if err := errors.Join(changes.batch.Commit(pebble.NoSync), changes.batch.Close()); err != nil {
		return fmt.Errorf("keep journal entry %d: %w", e.GetSequence(), err)
	}
	for id, a := range after {
		h.accounts[id] = a
	}
	h.position = position
	return nil
}

// look finds an account among changes not yet made, then among the others.
func (h *holdings) look(after map[string]account, id string) (account, bool) {
	if a, changed := after[id]; changed {
		return a, true
	}
	a, known := h.accounts[id]
	return a, known
}

// settle ends the reservation of a decision that the entry is about: its
// advice has arrived in the ledger, or its hold was released, before or after.
func (h *holdings) settle(e *bookv1.Entry, changes write, after map[string]account) error {
	op := e.GetOperation()
	var (
		holdKey  string
		reversed bool
	)
	switch op.GetKind() {
	case bookv1.OperationKind_OPERATION_KIND_ADVICE:
		holdKey, reversed = op.GetKey(), e.GetRefusal() == bookv1.Refusal_REFUSAL_RELEASED
	case bookv1.OperationKind_OPERATION_KIND_RELEASE:
		holdKey, reversed = op.GetHoldKey(), true
	default:
		return nil
	}
	key, isAdvice := strings.CutPrefix(holdKey, bank.AdviceKey(""))
	if !isAdvice {
		return nil
	}
	made, err := h.disk.decision(key)
	if made == nil || err != nil {
		return err
	}
	payment := made.advice.GetAuthorisation()
	i, _, err := bank.ParseCard(payment.GetCardNumber())
	if err != nil {
		return fmt.Errorf("%w: decision %q: %w", errCorrupt, key, err)
	}
	id := bank.CurrentAccount(i)
	a, known := h.look(after, id)
	if !known {
		return nil // declined for want of the account
	}
	if made.reserved {
		made.reserved = false
		a = a.settle(payment.GetAmountMinor())
	}
	if reversed && !made.reversed {
		made.reversed = true
		if made.advice.GetResponseCode() == bank.Approved {
			a = a.unspend(payment.GetAmountMinor(), dayOf(made.advice.GetDecidedAt().AsTime()))
		}
	}
	after[id] = a
	return changes.decision(key, made)
}

// last is the place in the journal's stream up to which entries were taken in.
func (h *holdings) last() uint64 {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.position
}

// dayOf counts days in UTC.
func dayOf(t time.Time) int64 { return t.Unix() / int64(24*time.Hour/time.Second) }
