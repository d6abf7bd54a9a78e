package events

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"google.golang.org/protobuf/proto"

	bookv1 "breakbank/proto/book/v1"
	eventsv1 "breakbank/proto/events/v1"
)

// outletWait bounds the wait for an acknowledgement.
const outletWait = 5 * time.Second

// Outlet publishes the journals of books in order. It is one connection that
// does not reconnect: the server keeps the order of one connection, but not
// across two, so after an error the outlet is of no more use and the place to
// go on from is asked of the stream ([Outlet.Last]). It is for one goroutine.
type Outlet struct {
	conn *nats.Conn
	js   jetstream.JetStream
}

// OpenOutlet connects, or fails when the server is away.
func OpenOutlet(ctx context.Context, url string) (*Outlet, error) {
	timeout := outletWait
	if deadline, ok := ctx.Deadline(); ok {
		timeout = min(timeout, time.Until(deadline))
	}
	conn, err := nats.Connect(url, nats.NoReconnect(), nats.Timeout(timeout), nats.SkipHostLookup())
	if err != nil {
		return nil, fmt.Errorf("open outlet to %s: %w", url, err)
	}
	js, err := jetstream.New(conn,
		jetstream.WithDefaultTimeout(outletWait),
		jetstream.WithPublishAsyncMaxPending(maxInFlight),
		jetstream.WithPublishAsyncTimeout(outletWait))
	if err != nil {
		conn.Close()
		return nil, fmt.Errorf("open outlet to %s: %w", url, err)
	}
	return &Outlet{conn: conn, js: js}, nil
}

// Last is the sequence of the newest entry of the store in the stream, 0 when
// there is none.
func (o *Outlet) Last(ctx context.Context, store string) (int64, error) {
	s, err := o.js.Stream(ctx, Journal)
	if err != nil {
		return 0, fmt.Errorf("look up stream %s: %w", Journal, err)
	}
	msg, err := s.GetLastMsgForSubject(ctx, JournalOf(store))
	if errors.Is(err, jetstream.ErrMsgNotFound) {
		return 0, nil
	}
	if err != nil {
		return 0, fmt.Errorf("read the last entry of %s: %w", store, err)
	}
	published := new(eventsv1.JournalEntryPublished)
	if err := proto.Unmarshal(msg.Data, published); err != nil {
		return 0, fmt.Errorf("decode the last entry of %s: %w", store, err)
	}
	return published.GetEntry().GetSequence(), nil
}

// Publish sends entries, which follow the last one published without a gap,
// and returns once the stream has them all. After an error it may have the
// first of them.
func (o *Outlet) Publish(ctx context.Context, store string, entries []*bookv1.Entry) error {
	for len(entries) > 0 {
		n := min(len(entries), maxInFlight)
		if err := o.publish(ctx, store, entries[:n]); err != nil {
			return err
		}
		entries = entries[n:]
	}
	return nil
}

func (o *Outlet) publish(ctx context.Context, store string, entries []*bookv1.Entry) error {
	futures := make([]jetstream.PubAckFuture, 0, len(entries))
	for _, e := range entries {
		msg, err := message(JournalSubject(store, e.GetOperation().GetDebitAccount()),
			&eventsv1.JournalEntryPublished{Store: store, Entry: e})
		if err != nil {
			return err
		}
		future, err := o.js.PublishMsgAsync(msg,
			jetstream.WithMsgID(fmt.Sprintf("%s-%d", store, e.GetSequence())),
			jetstream.WithRetryAttempts(0)) // a retry would overtake
		if err != nil {
			return fmt.Errorf("publish entry %d of %s: %w", e.GetSequence(), store, err)
		}
		futures = append(futures, future)
	}
	closed := o.conn.StatusChanged(nats.CLOSED)
	defer o.conn.RemoveStatusListener(closed)
	if o.conn.IsClosed() {
		return fmt.Errorf("publish %s: %w", store, nats.ErrConnectionClosed)
	}
	for i, future := range futures {
		select {
		case <-future.Ok():
		case err := <-future.Err():
			return fmt.Errorf("publish entry %d of %s: %w", entries[i].GetSequence(), store, err)
		case <-closed:
			return fmt.Errorf("publish entry %d of %s: %w", entries[i].GetSequence(), store, nats.ErrConnectionClosed)
		case <-ctx.Done():
			return fmt.Errorf("publish entry %d of %s: %w", entries[i].GetSequence(), store, ctx.Err())
		}
	}
	return nil
}

// Close ends the connection.
func (o *Outlet) Close() error {
	o.js.CleanupPublisher()
	o.conn.Close()
	return nil
}
