package fps

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"breakbank/platform/rpc"
	bankv1 "breakbank/proto/bank/v1"
	"breakbank/services/bank"
)

const (
	// creditWait is what payments gets before a payment is queued instead
	// (incident.md, "The bank's numbers").
	creditWait = 3 * time.Second
	// queueWait is what JetStream gets to acknowledge: an fsync, usually some
	// milliseconds.
	queueWait = 2 * time.Second
	// maxReference is the longest reference that Faster Payments carries, its
	// remittance information, in bytes.
	maxReference = 140
	// maxKey bounds an idempotency key, in bytes, as the book does.
	maxKey = 256
)

// service implements FasterPaymentsService.
type service struct {
	bankv1.UnimplementedFasterPaymentsServiceServer
	payments payments
	queue    queue
	drainer  *drainer
	log      *slog.Logger
}

// Receive implements FasterPaymentsService: credited, refused, or queued. It
// says queued only when JetStream has the payment on disk. An error after
// which the payment may have been taken is of kind OutcomeUnknown; the hub
// sends it again with the same key.
func (s *service) Receive(ctx context.Context, req *bankv1.ReceiveInRequest) (*bankv1.ReceiveResponse, error) {
	if err := check(req); err != nil {
		return nil, err
	}
	refusal, err := s.payments.credit(ctx, req)
	switch {
	case err == nil:
		return &bankv1.ReceiveResponse{Refusal: refusal}, nil
	case final(err):
		return nil, err
	case ctx.Err() != nil:
		return nil, err // The hub has left. It may have been credited.
	}
	s.log.Debug("payments does not answer, queueing", "key", req.GetIdempotencyKey(), "err", err)
	queueCtx, cancel := context.WithTimeout(ctx, queueWait)
	defer cancel()
	if queueErr := s.queue.accept(queueCtx, req); queueErr != nil {
		return nil, bank.Errorf(bank.OutcomeUnknown, "payment %s is neither credited nor queued for certain, send it again with the same key: %w",
			req.GetIdempotencyKey(), errors.Join(err, queueErr))
	}
	return &bankv1.ReceiveResponse{Queued: true}, nil
}

// GetQueue implements FasterPaymentsService.
func (s *service) GetQueue(ctx context.Context, _ *bankv1.GetQueueRequest) (*bankv1.GetQueueResponse, error) {
	ctx, cancel := context.WithTimeout(ctx, queueWait)
	defer cancel()
	pending, err := s.queue.pending(ctx)
	if err != nil {
		return nil, bank.Errorf(bank.Unavailable, "count the queued payments: %w", err)
	}
	return &bankv1.GetQueueResponse{
		Pending:  pending,
		Credited: s.drainer.credited.Load(),
		Returned: s.drainer.returned.Load(),
	}, nil
}

// check refuses what payments would refuse, so that nothing is queued that can
// never be credited for its form.
func check(req *bankv1.ReceiveInRequest) error {
	switch {
	case req.GetIdempotencyKey() == "" || len(req.GetIdempotencyKey()) > maxKey:
		return bank.Errorf(bank.Invalid, "idempotency_key must have 1 to %d bytes", maxKey)
	case req.GetToAccount() == "":
		return bank.Errorf(bank.Invalid, "to_account must not be empty")
	case req.GetAmountMinor() <= 0:
		return bank.Errorf(bank.Invalid, "amount_minor must be above 0, not %d", req.GetAmountMinor())
	case len(req.GetReference()) > maxReference:
		return bank.Errorf(bank.Invalid, "reference is longer than %d bytes", maxReference)
	}
	return nil
}

// final says that trying again would end the same way: payments was asked, and
// objects to the payment as it stands. Any other error is about the state of
// things, which passes.
func final(err error) bool {
	kind := bank.KindOf(err)
	return kind == bank.Invalid || kind == bank.Conflict
}

// payments is the service of that name, found through the node's router.
type payments struct{ dialer *rpc.Dialer }

// credit asks payments to take the payment in, and waits creditWait at most.
func (p payments) credit(ctx context.Context, req *bankv1.ReceiveInRequest) (bankv1.Refusal, error) {
	ctx, cancel := context.WithTimeout(ctx, creditWait)
	defer cancel()
	conn, err := p.dialer.Dial(ctx, "payments")
	if err != nil {
		return 0, bank.Errorf(bank.Unavailable, "find payments: %w", err)
	}
	done, err := bankv1.NewPaymentsServiceClient(conn).ReceiveIn(rpc.WithKey(ctx, req.GetIdempotencyKey()), req)
	if err != nil {
		return 0, bank.Wrap(err, "credit payment %s", req.GetIdempotencyKey())
	}
	return done.GetRefusal(), nil
}
