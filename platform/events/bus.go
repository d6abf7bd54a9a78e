package events

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"google.golang.org/protobuf/proto"
)

// Bounds of a connection.
const (
	reconnectWait = 100 * time.Millisecond
	// connectWait bounds one try to connect, the look-up of the name included: of
	// a host that has gone, a name server may not answer for many seconds.
	connectWait = time.Second
	// A connection that has been silent for pingsMax pings and the interval after
	// them is taken for lost: a machine that was cut off and is back, or a server
	// that vanished without a word, would else be waited for as long as TCP tries
	// again, up to minutes.
	pingEach = 2 * time.Second
	pingsMax = 2
	// requestWait bounds the wait for an acknowledgement or an answer.
	requestWait = 2 * time.Second
	// maxInFlight bounds the messages published and not acknowledged.
	maxInFlight = 256
	flushWait   = 200 * time.Millisecond
)

// Bus is a connection to the events. It reconnects by itself for as long as
// it is open, and is safe for concurrent use. While the server is away,
// publishing fails at once: nothing is kept back to be sent later.
type Bus struct {
	conn *nats.Conn
	js   jetstream.JetStream

	mu      sync.Mutex
	streams map[string]jetstream.Stream
}

// Connect returns a bus. It does not wait for the server: a server that is
// away is tried again and again.
func Connect(_ context.Context, url string) (*Bus, error) {
	conn, err := nats.Connect(url,
		nats.RetryOnFailedConnect(true),
		nats.MaxReconnects(-1),
		nats.ReconnectWait(reconnectWait),
		nats.ReconnectJitter(reconnectWait/2, reconnectWait/2),
		nats.ReconnectBufSize(-1),
		nats.Timeout(connectWait),
		nats.PingInterval(pingEach),
		nats.MaxPingsOutstanding(pingsMax),
		nats.SkipHostLookup(), // It looks up without a bound; its dialer does so again.
	)
	if err != nil {
		return nil, fmt.Errorf("connect to events at %s: %w", url, err)
	}
	js, err := jetstream.New(conn,
		jetstream.WithDefaultTimeout(requestWait),
		jetstream.WithPublishAsyncMaxPending(maxInFlight),
		jetstream.WithPublishAsyncTimeout(requestWait))
	if err != nil {
		conn.Close()
		return nil, fmt.Errorf("connect to events at %s: %w", url, err)
	}
	return &Bus{conn: conn, js: js, streams: make(map[string]jetstream.Stream)}, nil
}

// Close ends the connection, and with it what consumes through it.
func (b *Bus) Close() error {
	if b.conn.IsConnected() {
		// Acknowledgements may still be on their way; without them messages
		// come again, which consumers bear.
		_ = b.conn.FlushTimeout(flushWait)
	}
	b.js.CleanupPublisher()
	b.conn.Close()
	return nil
}

// CreateStreams makes every stream what the table says. It is for whoever
// owns the server.
func (b *Bus) CreateStreams(ctx context.Context) error {
	for _, config := range streams() {
		if _, err := b.js.CreateOrUpdateStream(ctx, config); err != nil {
			return fmt.Errorf("create stream %s: %w", config.Name, err)
		}
	}
	return nil
}

// stream returns the handle of a stream, asking the server once.
func (b *Bus) stream(ctx context.Context, name string) (jetstream.Stream, error) {
	b.mu.Lock()
	s, ok := b.streams[name]
	b.mu.Unlock()
	if ok {
		return s, nil
	}
	s, err := b.js.Stream(ctx, name)
	if err != nil {
		return nil, fmt.Errorf("look up stream %s: %w", name, err)
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.streams[name] = s
	return s, nil
}

// Publish sends m and waits until the stream has it, as durably as the stream
// promises. A message whose id the stream has seen within its duplicate window
// is acknowledged and dropped. After an error the message may or may not be
// there; publishing it again with the same id settles that. It waits two
// seconds at most, so that who waits for a server that has just died can
// still do something else.
func (b *Bus) Publish(ctx context.Context, subject, msgID string, m proto.Message) error {
	msg, err := message(subject, m)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, requestWait)
	defer cancel()
	if _, err := b.js.PublishMsg(ctx, msg, jetstream.WithMsgID(msgID)); err != nil {
		return fmt.Errorf("publish %s to %s: %w", msgID, subject, err)
	}
	return nil
}

// PublishAsync sends m and returns before the stream has it; the future says
// when, or why not. When too many are under way it waits for one of them, two
// seconds at most, then fails.
func (b *Bus) PublishAsync(subject, msgID string, m proto.Message) (jetstream.PubAckFuture, error) {
	msg, err := message(subject, m)
	if err != nil {
		return nil, err
	}
	future, err := b.js.PublishMsgAsync(msg, jetstream.WithMsgID(msgID), jetstream.WithStallWait(requestWait))
	if err != nil {
		return nil, fmt.Errorf("publish %s to %s: %w", msgID, subject, err)
	}
	return future, nil
}

func message(subject string, m proto.Message) (*nats.Msg, error) {
	data, err := proto.Marshal(m)
	if err != nil {
		return nil, fmt.Errorf("encode for %s: %w", subject, err)
	}
	return &nats.Msg{Subject: subject, Data: data}, nil
}

// Backlog is the state of a work queue.
type Backlog struct {
	// Pending is the number of messages not acknowledged by a worker yet.
	Pending int64
	// Done is the number acknowledged, or discarded, since the queue exists.
	Done int64
}

// Backlog reads the state of a work queue.
func (b *Bus) Backlog(ctx context.Context, stream string) (Backlog, error) {
	s, err := b.stream(ctx, stream)
	if err != nil {
		return Backlog{}, err
	}
	info, err := s.Info(ctx)
	if err != nil {
		return Backlog{}, fmt.Errorf("read backlog of %s: %w", stream, err)
	}
	pending := int64(info.State.Msgs)
	return Backlog{Pending: pending, Done: int64(info.State.LastSeq) - pending}, nil
}
