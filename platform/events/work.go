package events

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/nats-io/nats.go/jetstream"
	"golang.org/x/sync/errgroup"
	"golang.org/x/time/rate"
	"google.golang.org/protobuf/proto"
)

// Bounds of a worker.
const (
	// MaxRatePerS is how fast advices and queued payments may be worked off,
	// so that a service that has just come back is not run over.
	MaxRatePerS = 500
	// ackWait is when an unacknowledged message is given to another worker;
	// handleWait leaves time to acknowledge before that.
	ackWait    = 10 * time.Second
	handleWait = 8 * time.Second
	// redeliverMin doubles with each attempt up to redeliverMax, the longest
	// that a recovered service waits for its backlog.
	redeliverMin = 100 * time.Millisecond
	redeliverMax = 5 * time.Second
	// giveBackWait bounds the return of what was fetched ahead, by a worker
	// that stops: a server that has gone silent does not say that there is no
	// more of it.
	giveBackWait = time.Second
)

// ErrDiscard wrapped by a handler's error takes the message out of the queue
// for good: it can never be handled.
var ErrDiscard = errors.New("message discarded")

// WorkConfig says what to work on.
type WorkConfig struct {
	Stream string
	// Durable names the consumer. Workers of the same name share its messages
	// and its progress.
	Durable string
	// Subjects filter the stream; none means all of it.
	Subjects []string
	// RatePerS bounds the messages begun a second by this worker, redelivered
	// ones included; 0 means no bound.
	RatePerS int
	// Parallel is how many messages are handled at once; 0 means one.
	Parallel int
	Log      *slog.Logger
}

// Work calls handle with the messages of a durable consumer until ctx ends,
// and returns once no handler runs any more. A message is acknowledged when
// handle returns nil; else it comes again, later each time, for as long as it
// takes. There is no order. It outlives the server's restarts.
func Work[T any, M Message[T]](ctx context.Context, b *Bus, config WorkConfig, handle func(context.Context, M, Delivery) error) error {
	if config.Log == nil {
		config.Log = slog.New(slog.DiscardHandler)
	}
	config.Parallel = max(config.Parallel, 1)
	limit := rate.NewLimiter(rate.Inf, 0)
	if config.RatePerS > 0 {
		limit = rate.NewLimiter(rate.Limit(config.RatePerS), max(1, config.RatePerS/20))
	}
	w := worker[T, M]{bus: b, config: config, limit: limit, handle: handle}
	pause := retryMin
	for {
		began := time.Now()
		err := w.run(ctx)
		if ctx.Err() != nil {
			return ctx.Err()
		}
		config.Log.Debug("worker starts again", "stream", config.Stream, "durable", config.Durable, "error", err)
		if time.Since(began) > retryMax {
			pause = retryMin
		}
		if err := wait(ctx, pause); err != nil {
			return err
		}
		pause = min(2*pause, retryMax)
	}
}

type worker[T any, M Message[T]] struct {
	bus    *Bus
	config WorkConfig
	limit  *rate.Limiter
	handle func(context.Context, M, Delivery) error
}

// run works until ctx ends or something breaks.
func (w *worker[T, M]) run(ctx context.Context) error {
	consumer, err := w.bus.js.CreateOrUpdateConsumer(ctx, w.config.Stream, jetstream.ConsumerConfig{
		Durable:        w.config.Durable,
		FilterSubjects: w.config.Subjects,
		AckPolicy:      jetstream.AckExplicitPolicy,
		AckWait:        ackWait,
		MaxDeliver:     -1,
	})
	if err != nil {
		return fmt.Errorf("create consumer %s: %w", w.config.Durable, err)
	}
	// Few are fetched ahead: they would be out of other workers' reach.
	messages, err := consumer.Messages(jetstream.PullMaxMessages(2 * w.config.Parallel))
	if err != nil {
		return fmt.Errorf("receive: %w", err)
	}
	var handlers errgroup.Group
	handlers.SetLimit(w.config.Parallel)
	for {
		msg, err := messages.Next(jetstream.NextContext(ctx))
		if err == nil {
			err = w.limit.Wait(ctx)
		}
		if err != nil {
			w.giveBack(msg, messages)
			return errors.Join(fmt.Errorf("receive: %w", err), handlers.Wait())
		}
		handlers.Go(func() error {
			w.answer(ctx, msg)
			return nil
		})
	}
}

// giveBack returns the message in hand, if any, and those fetched ahead, so
// that others need not wait for ackWait to pass. When the server is away there
// is nobody to give them to; it gives them out again by itself.
func (w *worker[T, M]) giveBack(msg jetstream.Msg, messages jetstream.MessagesContext) {
	defer messages.Stop()
	if !w.bus.conn.IsConnected() {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), giveBackWait)
	defer cancel()
	messages.Drain()
	for {
		if msg != nil {
			if err := msg.Nak(); err != nil {
				return // The server has gone away.
			}
		}
		next, err := messages.Next(jetstream.NextContext(ctx))
		if err != nil {
			return
		}
		msg = next
	}
}

// answer handles one message and tells the server what became of it. When
// that fails the message comes again, which handlers bear.
func (w *worker[T, M]) answer(ctx context.Context, msg jetstream.Msg) {
	attempt, err := w.try(ctx, msg)
	log := w.config.Log.With("stream", w.config.Stream, "subject", msg.Subject(), "attempt", attempt)
	switch {
	case err == nil:
		err = msg.Ack()
	case errors.Is(err, ErrDiscard):
		log.Error("message discarded", "error", err)
		err = msg.TermWithReason(ErrDiscard.Error())
	case ctx.Err() != nil:
		err = msg.Nak()
	default:
		log.Debug("message comes again", "error", err)
		err = msg.NakWithDelay(redeliverAfter(attempt))
	}
	if err != nil {
		log.Debug("answer to the queue lost", "error", err)
	}
}

func (w *worker[T, M]) try(ctx context.Context, msg jetstream.Msg) (attempt uint64, err error) {
	d, err := deliveryOf(msg)
	if err != nil {
		return 1, err
	}
	m := M(new(T))
	if err := proto.Unmarshal(msg.Data(), m); err != nil {
		return d.Attempt, fmt.Errorf("%w: decode: %w", ErrDiscard, err)
	}
	ctx, cancel := context.WithTimeout(ctx, handleWait)
	defer cancel()
	return d.Attempt, w.handle(ctx, m, d)
}

// redeliverAfter is the pause after the attempt given, counted from 1.
func redeliverAfter(attempt uint64) time.Duration {
	d := redeliverMin
	for ; attempt > 1 && d < redeliverMax; attempt-- {
		d *= 2
	}
	return min(d, redeliverMax)
}
