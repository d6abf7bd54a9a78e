package fps

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"time"

	"breakbank/platform/events"
	bankv1 "breakbank/proto/bank/v1"
	eventsv1 "breakbank/proto/events/v1"
	"breakbank/services/bank"
)

const (
	// drainConsumer is the durable consumer that all instances share, so that
	// each payment is one instance's to deliver.
	drainConsumer = "fps-drainer"
	// instances is how many edges there are, one a zone. Each takes its share
	// of what all may do together.
	instances   = 3
	drainPerS   = events.MaxRatePerS / instances
	drainAtOnce = 8
)

// drainBackoff spaces the attempts while payments is away. It is short: what
// it saves is load on routers in trouble, what it costs is the wait of a
// customer whose bank has recovered.
var drainBackoff = bank.Backoff{First: 100 * time.Millisecond, Max: 2 * time.Second}

// drainer credits the queued payments through payments, in no order, each
// until it is settled.
type drainer struct {
	payments payments
	log      *slog.Logger
	gate     gate
	cancel   context.CancelFunc
	done     sync.WaitGroup

	credited atomic.Int64
	returned atomic.Int64
}

// startDrainer starts a drainer, which the caller stops.
func startDrainer(ctx context.Context, bus *events.Bus, payments payments, log *slog.Logger) *drainer {
	ctx, cancel := context.WithCancel(ctx)
	d := &drainer{payments: payments, log: log, cancel: cancel}
	d.done.Go(func() {
		err := events.Work(ctx, bus, events.WorkConfig{
			Stream:   events.FPS,
			Durable:  drainConsumer,
			RatePerS: drainPerS,
			Parallel: drainAtOnce,
			Log:      log,
		}, d.deliver)
		if !errors.Is(err, context.Canceled) {
			log.Error("the queue of payments is not drained any more", "err", err)
		}
	})
	return d
}

// stop waits for the deliveries under way. Those cut short come again, to
// another instance or later.
func (d *drainer) stop() {
	d.cancel()
	d.done.Wait()
}

// deliver settles one queued payment: credited, or impossible to credit and
// returned to the sender. Any other outcome is an error, after which it comes
// again with the same key; if it had been credited after all, the book gives
// its first answer again.
func (d *drainer) deliver(ctx context.Context, queued *eventsv1.PaymentQueued, _ events.Delivery) error {
	if err := d.gate.wait(ctx, time.Now()); err != nil {
		return err
	}
	payment := queued.GetPayment()
	refusal, err := d.payments.credit(ctx, payment)
	if err != nil && !final(err) {
		d.gate.failed(time.Now(), rand.Float64())
		return err
	}
	d.gate.opened()
	switch {
	case err != nil:
		return d.giveBack(payment, err.Error())
	case refusal != bankv1.Refusal_REFUSAL_UNSPECIFIED:
		return d.giveBack(payment, refusal.String())
	}
	d.credited.Add(1)
	return nil
}

// giveBack takes a payment out of the queue for good. The error says so to
// the queue, which logs it.
func (d *drainer) giveBack(payment *bankv1.ReceiveInRequest, why string) error {
	d.returned.Add(1)
	return fmt.Errorf("payment %s of %s to %s returned to the sender: %s: %w",
		payment.GetIdempotencyKey(), bank.Pounds(payment.GetAmountMinor()), payment.GetToAccount(), why, events.ErrDiscard)
}

// gate holds all deliveries back after one that failed: while payments is
// away each of thousands would otherwise find that out for itself.
type gate struct {
	mu       sync.Mutex
	failures int
	shut     time.Time // Until then.
}

// wait returns once the gate is open, or when ctx ends.
func (g *gate) wait(ctx context.Context, now time.Time) error {
	g.mu.Lock()
	shut := g.shut.Sub(now)
	g.mu.Unlock()
	if shut <= 0 {
		return nil
	}
	timer := time.NewTimer(shut)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// failed shuts the gate, longer each time in a row. Deliveries under way
// together that fail together count once. random is in [0, 1).
func (g *gate) failed(now time.Time, random float64) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if now.Before(g.shut) {
		return
	}
	g.failures++
	g.shut = now.Add(drainBackoff.Wait(g.failures, random))
}

// opened lets deliveries through again.
func (g *gate) opened() {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.failures, g.shut = 0, time.Time{}
}
