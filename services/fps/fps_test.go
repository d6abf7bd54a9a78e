package fps

import (
	"context"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"breakbank/platform/events"
	bankv1 "breakbank/proto/bank/v1"
)

func TestCreditedAtOnce(t *testing.T) {
	w := newWorld(t)
	w.startPayments()
	e := w.start("fps-v1-1-a1")
	for range 2 { // The hub may ask twice.
		got, err := e.Receive(within(t), inbound(1))
		if err != nil || got.GetQueued() || got.GetRefusal() != bankv1.Refusal_REFUSAL_UNSPECIFIED {
			t.Fatalf("got %v, %v", got, err)
		}
	}
	if got := w.balance(inbound(1).GetToAccount()); got != 101 {
		t.Errorf("balance %d", got)
	}
}

func TestWhatIsFinalIsNotQueued(t *testing.T) {
	w := newWorld(t)
	w.startPayments()
	e := w.start("fps-v1-1-a1")

	nobody := inbound(1)
	nobody.ToAccount = "acc-99999"
	if got, err := e.Receive(within(t), nobody); err != nil || got.GetQueued() || got.GetRefusal() != bankv1.Refusal_REFUSAL_NO_SUCH_ACCOUNT {
		t.Errorf("no such account: %v, %v", got, err)
	}
	if _, err := e.Receive(within(t), inbound(2)); err != nil {
		t.Fatal(err)
	}
	other := inbound(2)
	other.AmountMinor++
	if got, err := e.Receive(within(t), other); status.Code(err) != codes.AlreadyExists {
		t.Errorf("key used for something else: %v, %v", got, err)
	}
	for name, spoil := range map[string]func(*bankv1.ReceiveInRequest){
		"no key":     func(r *bankv1.ReceiveInRequest) { r.IdempotencyKey = "" },
		"no account": func(r *bankv1.ReceiveInRequest) { r.ToAccount = "" },
		"nothing":    func(r *bankv1.ReceiveInRequest) { r.AmountMinor = 0 },
	} {
		req := inbound(3)
		spoil(req)
		if got, err := e.Receive(within(t), req); status.Code(err) != codes.InvalidArgument {
			t.Errorf("%s: %v, %v", name, got, err)
		}
	}
	if got, err := e.GetQueue(within(t), &bankv1.GetQueueRequest{}); err != nil || got.GetPending() != 0 {
		t.Errorf("queue: %v, %v", got, err)
	}
}

// The heart of it: payments is away, everything is accepted, and afterwards
// each payment is credited exactly once, whichever of three instances took it,
// however often the hub asked, and although payments loses answers.
func TestQueuedWhileAwayThenCreditedOnce(t *testing.T) {
	t.Parallel()
	const payments = 60
	w := newWorld(t)
	edges := []edge{w.start("fps-v1-1-a1"), w.start("fps-v1-1-b1"), w.start("fps-v1-1-c1")}

	var asked sync.WaitGroup
	// Few enough at once for a slow disk to acknowledge each within queueWait.
	places := make(chan struct{}, 8)
	for i := range payments {
		places <- struct{}{}
		asked.Go(func() {
			defer func() { <-places }()
			for range 1 + i%2 {
				got, err := edges[i%len(edges)].Receive(within(t), inbound(i))
				if err != nil || !got.GetQueued() {
					t.Errorf("payment %d: %v, %v", i, got, err)
				}
			}
		})
	}
	asked.Wait()
	if got := w.postings(); len(got) != 0 {
		t.Fatalf("posted while payments was away: %v", got)
	}
	for _, e := range edges {
		if got, err := e.GetQueue(within(t), &bankv1.GetQueueRequest{}); err != nil || got.GetPending() != payments {
			t.Errorf("queue: %v, %v, want %d pending", got, err, payments)
		}
	}

	var lost atomic.Int64
	w.after = func(context.Context, *bankv1.ReceiveInRequest) error {
		if lost.Add(1) <= 3 {
			return status.Error(codes.Aborted, "posted, but the answer is lost")
		}
		return nil
	}
	w.startPayments()
	until(t, "the queue drains", func() bool {
		got, err := edges[0].GetQueue(within(t), &bankv1.GetQueueRequest{})
		return err == nil && got.GetPending() == 0
	})
	posted, sum, credited := w.postings(), int64(0), int64(0)
	for i := range payments {
		if n := posted[inbound(i).GetIdempotencyKey()]; n != 1 {
			t.Errorf("payment %d was posted %d times", i, n)
		}
		sum += inbound(i).GetAmountMinor()
	}
	if got := w.balance(accounts[0]) + w.balance(accounts[1]); got != sum {
		t.Errorf("the accounts have %d, want %d", got, sum)
	}
	for _, e := range edges {
		got, err := e.GetQueue(within(t), &bankv1.GetQueueRequest{})
		if err != nil {
			t.Fatal(err)
		}
		credited += got.GetCredited()
	}
	if credited != payments || lost.Load() <= 3 {
		t.Errorf("the instances count %d credited after %d answers, want %d", credited, lost.Load(), payments)
	}
}

// Payments takes the request, and longer than it gets: it is queued after 3 s,
// and the posting that came through in the end is not made twice.
func TestSlowPayments(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	// The deadline passes there a moment before it does here: its answer must not
	// come in between.
	queued := make(chan struct{})
	var calls atomic.Int64
	w.before = func(ctx context.Context, _ *bankv1.ReceiveInRequest) error {
		if calls.Add(1) == 1 {
			<-ctx.Done()
			<-queued
		}
		return nil
	}
	w.startPayments()
	e := w.start("fps-v1-1-a1")
	began := time.Now()
	got, err := e.Receive(within(t), inbound(1))
	close(queued)
	if took := time.Since(began); err != nil || !got.GetQueued() || took < creditWait || took > creditWait+queueWait {
		t.Errorf("got %v, %v after %v", got, err, took)
	}
	until(t, "the queue drains", func() bool {
		got, err := e.GetQueue(within(t), &bankv1.GetQueueRequest{})
		return err == nil && got.GetPending() == 0 && got.GetCredited() == 1
	})
	if n := w.postings()[inbound(1).GetIdempotencyKey()]; n != 1 {
		t.Errorf("posted %d times", n)
	}
}

func TestRefusedAfterQueueingIsReturned(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	e := w.start("fps-v1-1-a1")
	nobody := inbound(1)
	nobody.ToAccount = "acc-99999"
	other := inbound(2)
	other.AmountMinor++
	for _, req := range []*bankv1.ReceiveInRequest{nobody, inbound(2), other} {
		if got, err := e.Receive(within(t), req); err != nil || !got.GetQueued() {
			t.Fatalf("got %v, %v", got, err)
		}
	}
	w.startPayments()
	until(t, "one credited, one returned for its account, one for its key", func() bool {
		got, err := e.GetQueue(within(t), &bankv1.GetQueueRequest{})
		return err == nil && got.GetPending() == 0 && got.GetCredited() == 1 && got.GetReturned() == 2
	})
	if posted := w.postings(); len(posted) != 1 {
		t.Errorf("posted %v", posted)
	}
}

// The queue is the only copy, so it outlives everything.
func TestTheQueueOutlivesARestart(t *testing.T) {
	w := newWorld(t)
	bus, err := events.Connect(within(t), w.nats.URL())
	if err != nil {
		t.Fatal(err)
	}
	if err := (queue{bus: bus}).accept(within(t), inbound(1)); err != nil {
		t.Fatal(err)
	}
	if err := bus.Close(); err != nil {
		t.Error(err)
	}
	w.nats.Close()
	w.startNATS()
	w.startPayments()
	w.start("fps-v1-2-a1")
	until(t, "the payment is credited", func() bool { return w.balance(inbound(1).GetToAccount()) == 101 })
}

// Queued is a promise: without JetStream's word it is not made.
func TestNothingIsPromisedWithoutTheQueue(t *testing.T) {
	w := newWorld(t)
	e := w.start("fps-v1-1-a1")
	w.nats.Close()
	got, err := e.Receive(within(t), inbound(1))
	if status.Code(err) != codes.Aborted {
		t.Errorf("got %v, %v", got, err)
	}
	w.startPayments()
	// The connection to payments may take longer to come back than one attempt waits.
	until(t, "payments is back", func() bool {
		got, err := e.Receive(within(t), inbound(1))
		if got.GetQueued() {
			t.Fatalf("queued without a queue: %v", got)
		}
		return err == nil
	})
}
