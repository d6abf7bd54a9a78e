package cardnet

import (
	"context"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sync/semaphore"
	"golang.org/x/time/rate"

	"breakbank/platform/rpc"
	bankv1 "breakbank/proto/bank/v1"
	"breakbank/services/bank"
)

// Bounds of the reversals.
const (
	// reversalsMax bounds the payments in progress and those still to be
	// reversed, together: a payment takes its place before a processor is
	// asked. When all are taken it is answered 96 and nobody is asked, for an
	// approval that could not be undone would be worse than none.
	reversalsMax = 10_000
	// reversalsPerSecondMax keeps a backlog from drowning a primary that has
	// just come back.
	reversalsPerSecondMax = 500
	// sendersPerProcessor work side by side for each processor, so that what
	// cannot be delivered to one does not keep the other waiting.
	sendersPerProcessor = 16
	// flushMax is how long a draining instance goes on delivering.
	flushMax = 2 * time.Second
)

// resend spaces the attempts of one sender.
var resend = bank.Backoff{First: 50 * time.Millisecond, Max: 2 * time.Second}

// reversals delivers what must be undone, each until it is acknowledged, as
// long as this instance lives: the queue is in memory. The processors accept
// a reversal any number of times, and before the hold it is for.
type reversals struct {
	log     *slog.Logger
	places  *semaphore.Weighted
	limiter *rate.Limiter
	stop    context.CancelFunc
	senders sync.WaitGroup
	counts  counts

	// undoing are the keys of the holds in the queues, two a payment at most.
	mu      sync.Mutex
	undoing map[string]bool
}

// counts are what an operator may want to know about the reversals.
type counts struct {
	pending      atomic.Int64 // payments still to be reversed
	acknowledged atomic.Int64 // payments reversed
	late         atomic.Int64 // those that are late approvals
	refused      atomic.Int64 // payments turned away because all places were taken
}

// reversal is one payment to undo at one processor.
type reversal struct {
	keys   []string // of the holds
	card   string
	reason string
	late   bool // an approval came after the card network had gone
	// requestID is the payment's, for the logs of whoever undoes it.
	requestID string
}

// queue are the reversals for one processor.
type queue struct {
	name    string
	to      reverser
	waiting chan reversal
}

func newReversals(log *slog.Logger) *reversals {
	return &reversals{
		log:     log,
		places:  semaphore.NewWeighted(reversalsMax),
		limiter: rate.NewLimiter(reversalsPerSecondMax, reversalsPerSecondMax/10),
		stop:    func() {},
		undoing: make(map[string]bool),
	}
}

// start starts the senders of the queues; close or kill ends them.
func (r *reversals) start(queues ...*queue) {
	ctx, cancel := context.WithCancel(context.Background())
	r.stop = cancel
	for _, q := range queues {
		for range sendersPerProcessor {
			r.senders.Go(func() { r.send(ctx, q) })
		}
	}
}

func newQueue(name string, to reverser) *queue {
	// Adding never blocks: whoever adds has a place.
	return &queue{name: name, to: to, waiting: make(chan reversal, reversalsMax)}
}

// reserve takes a payment's place; it returns false when there is none left.
// Either release or add ends it.
func (r *reversals) reserve() bool {
	if r.places.TryAcquire(1) {
		return true
	}
	r.counts.refused.Add(1)
	return false
}

// release gives back the place of a payment with nothing to reverse.
func (r *reversals) release() { r.places.Release(1) }

// isUndoing says that the hold with a key is about to be reversed: an approval
// that a processor repeats for it is worth nothing.
func (r *reversals) isUndoing(holdKey string) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.undoing[holdKey]
}

func (r *reversals) mark(holdKey string, undoing bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if undoing {
		r.undoing[holdKey] = true
	} else {
		delete(r.undoing, holdKey)
	}
}

// add queues the reversal of a payment that has a place.
func (r *reversals) add(q *queue, rev reversal) {
	for _, key := range rev.keys {
		r.mark(key, true)
	}
	if r.counts.pending.Add(1) == 1 {
		r.log.Info("payments to reverse", "processor", q.name, "reason", rev.reason)
	}
	if rev.late {
		r.counts.late.Add(1)
	}
	q.waiting <- rev
}

// send delivers reversals until ctx ends. One that fails goes to the end of
// the queue, so that it holds up no other.
func (r *reversals) send(ctx context.Context, q *queue) {
	failures := 0
	for {
		select {
		case <-ctx.Done():
			return
		case rev := <-q.waiting:
			left, err := r.deliver(ctx, q, rev)
			if len(left.keys) == 0 {
				failures = 0
				r.acknowledged()
				continue
			}
			q.waiting <- left
			failures++
			r.log.Debug("reversal not acknowledged", "processor", q.name, "failures", failures, "error", err)
			if !pause(ctx, resend.Wait(failures, rand.Float64())) {
				return
			}
		}
	}
}

// deliver sends the reversals of a payment and returns what is left to send.
func (r *reversals) deliver(ctx context.Context, q *queue, rev reversal) (reversal, error) {
	for len(rev.keys) > 0 {
		if err := r.limiter.Wait(ctx); err != nil {
			return rev, fmt.Errorf("wait for a turn to reverse: %w", err)
		}
		if err := reverse(rpc.WithRequestID(ctx, rev.requestID), q.to, rev.keys[0], rev.card, rev.reason); err != nil {
			return rev, err
		}
		r.mark(rev.keys[0], false)
		rev.keys = rev.keys[1:]
	}
	return rev, nil
}

// reverse asks a processor to undo the hold with a key. Only 00 acknowledges.
func reverse(ctx context.Context, to reverser, key, card, reason string) error {
	ctx, cancel := context.WithTimeout(ctx, primaryBudget)
	defer cancel()
	reply, err := to.Reverse(rpc.WithKey(ctx, bank.ReversalKey(key)), &bankv1.ReverseRequest{
		IdempotencyKey: key,
		CardNumber:     card,
		Reason:         reason,
	})
	if err != nil {
		return bank.Wrap(err, "reverse %s", key)
	}
	if code := reply.GetResponseCode(); code != bank.Approved {
		return bank.Errorf(bank.OutcomeUnknown, "reverse %s: answered %q", key, code)
	}
	return nil
}

func (r *reversals) acknowledged() {
	r.places.Release(1)
	r.counts.acknowledged.Add(1)
	if r.counts.pending.Add(-1) == 0 {
		r.log.Info("all payments reversed",
			"acknowledged", r.counts.acknowledged.Load(), "late_approvals", r.counts.late.Load())
	}
}

// close goes on delivering until nothing is pending, ctx ends or flushMax has
// passed; then it stops the senders. What is left is lost, and said so.
func (r *reversals) close(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, flushMax)
	defer cancel()
	// All places free: nothing is in progress and nothing pending.
	err := r.places.Acquire(ctx, reversalsMax)
	r.kill()
	r.log.Info("reversals at the end", "acknowledged", r.counts.acknowledged.Load(), "late_approvals", r.counts.late.Load(),
		"pending", r.counts.pending.Load(), "turned_away", r.counts.refused.Load())
	if err != nil {
		return fmt.Errorf("%d payments left unreversed: %w", r.counts.pending.Load(), err)
	}
	return nil
}

// kill stops the senders at once.
func (r *reversals) kill() {
	r.stop()
	r.senders.Wait()
}

// pause waits for d; it returns false when ctx ends first.
func pause(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}

// GetBacklog says how many payments this instance still has to reverse.
func (s *service) GetBacklog(context.Context, *bankv1.GetBacklogRequest) (*bankv1.GetBacklogResponse, error) {
	counts := &s.reversals.counts
	return &bankv1.GetBacklogResponse{Pending: counts.pending.Load(), Acknowledged: counts.acknowledged.Load()}, nil
}
