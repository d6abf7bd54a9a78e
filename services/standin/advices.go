package standin

import (
	"context"
	"fmt"
	"time"

	"google.golang.org/grpc"

	"breakbank/platform/events"
	"breakbank/platform/rpc"
	bankv1 "breakbank/proto/bank/v1"
	eventsv1 "breakbank/proto/events/v1"
	"breakbank/services/bank"
)

// Bounds of delivering advices. The rate is events.MaxRatePerS (incident.md:
// drained at ≤ 500/s), and the pause between two attempts grows to 5 s there.
const (
	// deliveriesAtOnce is what 500/s needs when the primary takes 60 ms.
	deliveriesAtOnce = 32
	// deliveryBudget is longer than what the primary gets for a payment:
	// nobody waits for an advice.
	deliveryBudget = 2 * time.Second
	// drainerName is the consumer that all drainers share.
	drainerName = "standin"
)

// adviser is the primary as far as advices go.
type adviser interface {
	Advise(context.Context, *bankv1.AdviseRequest, ...grpc.CallOption) (*bankv1.AdviseResponse, error)
}

// raise makes an advice durable on its way to the primary. Raising it again is
// harmless: it is applied once.
func raise(ctx context.Context, bus *events.Bus, advice *bankv1.AdviseRequest) error {
	key := bank.AdviceKey(advice.GetAuthorisation().GetIdempotencyKey())
	err := bus.Publish(ctx, events.AdviceSubject, key, &eventsv1.AdviceRaised{Advice: advice})
	if err != nil {
		// It may be there all the same.
		return bank.Errorf(bank.OutcomeUnknown, "raise advice %s: %w", key, err)
	}
	return nil
}

// drainer delivers advices to the primary, each until it is acknowledged.
type drainer struct {
	bus     *events.Bus
	primary adviser
}

// run delivers until ctx ends.
func (d *drainer) run(ctx context.Context, config events.WorkConfig) error {
	return events.Work(ctx, d.bus, config,
		func(ctx context.Context, raised *eventsv1.AdviceRaised, _ events.Delivery) error {
			return d.deliver(ctx, raised.GetAdvice())
		})
}

func (d *drainer) deliver(ctx context.Context, advice *bankv1.AdviseRequest) error {
	key := bank.AdviceKey(advice.GetAuthorisation().GetIdempotencyKey())
	ctx, cancel := context.WithTimeout(ctx, deliveryBudget)
	defer cancel()
	_, err := d.primary.Advise(rpc.WithKey(ctx, key), advice)
	if err == nil {
		return nil
	}
	switch bank.KindOf(err) {
	case bank.Invalid, bank.Conflict:
		// However often it came, the primary could not take it; one that
		// conflicts has been applied otherwise. It is said aloud, and counted
		// by the audit.
		return fmt.Errorf("%w: advice %s: %w", events.ErrDiscard, key, err)
	default:
		return fmt.Errorf("deliver advice %s: %w", key, err)
	}
}
