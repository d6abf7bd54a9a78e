package events

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/nats-io/nats.go/jetstream"
	"google.golang.org/protobuf/proto"
)

// retryMin and retryMax bound the pause before a consumer is set up again
// after the server went away.
const (
	retryMin = 50 * time.Millisecond
	retryMax = time.Second
)

// Message is what *T must be to travel as an event.
type Message[T any] interface {
	*T
	proto.Message
}

// Delivery says how a message came.
type Delivery struct {
	Subject string
	// Sequence is the message's place in its stream, from 1.
	Sequence uint64
	// Behind is how many messages the consumer had still to receive then.
	Behind uint64
	// Attempt is 1 for the first delivery.
	Attempt uint64
}

// FollowConfig says what to follow.
type FollowConfig struct {
	Stream string
	// Subjects filter the stream; none means all of it.
	Subjects []string
	// From is the stream sequence to begin with; 0 means the first.
	From uint64
}

// Follow calls handle with the messages of a stream, in order, one at a time
// and each once, from the beginning and then as they come, until ctx ends or
// handle returns an error, which it returns. It outlives the server's
// restarts. Nothing is kept about the follower: the next one begins anew.
func Follow[T any, M Message[T]](ctx context.Context, b *Bus, config FollowConfig, handle func(context.Context, M, Delivery) error) error {
	f := follower[T, M]{bus: b, config: config, handle: handle, next: max(config.From, 1)}
	pause := retryMin
	for {
		before := f.next
		err := f.run(ctx)
		var stop *handlerError
		switch {
		case ctx.Err() != nil:
			return ctx.Err()
		case errors.As(err, &stop):
			return fmt.Errorf("follow %s: %w", config.Stream, stop.err)
		case f.next > before:
			pause = retryMin
		}
		if err := wait(ctx, pause); err != nil {
			return err
		}
		pause = min(2*pause, retryMax)
	}
}

// handlerError marks the errors that end a follower.
type handlerError struct{ err error }

func (e *handlerError) Error() string { return e.err.Error() }

type follower[T any, M Message[T]] struct {
	bus    *Bus
	config FollowConfig
	handle func(context.Context, M, Delivery) error
	next   uint64
}

// run follows until something breaks.
func (f *follower[T, M]) run(ctx context.Context) error {
	consumer, err := f.bus.js.OrderedConsumer(ctx, f.config.Stream, jetstream.OrderedConsumerConfig{
		FilterSubjects: f.config.Subjects,
		DeliverPolicy:  jetstream.DeliverByStartSequencePolicy,
		OptStartSeq:    f.next,
	})
	if err != nil {
		return fmt.Errorf("create ordered consumer: %w", err)
	}
	messages, err := consumer.Messages()
	if err != nil {
		return fmt.Errorf("receive: %w", err)
	}
	defer messages.Stop()
	for {
		msg, err := messages.Next(jetstream.NextContext(ctx))
		if err != nil {
			return fmt.Errorf("receive: %w", err)
		}
		d, err := deliveryOf(msg)
		if err != nil {
			return err
		}
		if d.Sequence < f.next {
			continue
		}
		m := M(new(T))
		if err := proto.Unmarshal(msg.Data(), m); err != nil {
			return &handlerError{fmt.Errorf("decode message %d: %w", d.Sequence, err)}
		}
		if err := f.handle(ctx, m, d); err != nil {
			return &handlerError{fmt.Errorf("message %d: %w", d.Sequence, err)}
		}
		f.next = d.Sequence + 1
	}
}

func deliveryOf(msg jetstream.Msg) (Delivery, error) {
	meta, err := msg.Metadata()
	if err != nil {
		return Delivery{}, fmt.Errorf("message on %s: %w", msg.Subject(), err)
	}
	return Delivery{
		Subject: msg.Subject(), Sequence: meta.Sequence.Stream,
		Behind: meta.NumPending, Attempt: meta.NumDelivered,
	}, nil
}

// wait waits for d, or until ctx ends.
func wait(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
