package fps

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"strconv"

	"breakbank/platform/events"
	bankv1 "breakbank/proto/bank/v1"
	eventsv1 "breakbank/proto/events/v1"
)

// queue holds the payments accepted and not credited yet. JetStream has the
// only copy, and syncs it to disk before it acknowledges.
type queue struct{ bus *events.Bus }

// accept returns nil once the payment is on disk. After an error it may or may
// not be in the queue.
func (q queue) accept(ctx context.Context, payment *bankv1.ReceiveInRequest) error {
	err := q.bus.Publish(ctx, events.PaymentSubject, messageID(payment), &eventsv1.PaymentQueued{Payment: payment})
	if err != nil {
		return fmt.Errorf("queue payment %s: %w", payment.GetIdempotencyKey(), err)
	}
	return nil
}

// pending counts the payments not credited yet, whichever instance took them.
func (q queue) pending(ctx context.Context) (int64, error) {
	backlog, err := q.bus.Backlog(ctx, events.FPS)
	return backlog.Pending, err
}

// messageID makes a payment that the hub sends again one message, but not a
// different payment under the same key: were that one dropped here as a
// duplicate, it would be answered as queued and never be refused.
func messageID(payment *bankv1.ReceiveInRequest) string {
	content := sha256.New()
	for _, field := range []string{
		payment.GetToAccount(), strconv.FormatInt(payment.GetAmountMinor(), 10), payment.GetReference(),
	} {
		fmt.Fprintf(content, "%d:%s", len(field), field)
	}
	const idBytes = 8 // Of the hash: it only tells payments of one key apart.
	return payment.GetIdempotencyKey() + "-" + hex.EncodeToString(content.Sum(nil)[:idBytes])
}
