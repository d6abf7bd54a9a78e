// Package feed is the service that lists the last entries of an account. It
// turns the journal of the ledger's book, as it comes through JetStream, into
// what a customer understands, and keeps that in JetStream too: an instance
// has nothing of its own.
//
// The instances share one durable consumer of the journal, so that together
// they are one feed. It can be rebuilt at any time: a consumer that does not
// exist yet begins with the journal's first entry, and an entry that is in the
// feed already is not added again.
package feed

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"breakbank/platform/events"
	"breakbank/platform/node"
	"breakbank/platform/rpc"
	bankv1 "breakbank/proto/bank/v1"
	eventsv1 "breakbank/proto/events/v1"
	"breakbank/services/bank"
)

const (
	// consumer is the durable consumer that all instances share.
	consumer = "feed"
	// atOnce is how many entries one instance works on at a time: each waits
	// for two round trips to JetStream, and nothing else.
	atOnce = 8
	// readWait bounds a read of JetStream, usually a fraction of a millisecond.
	// One that was sent as the server went away is never answered.
	readWait = time.Second
	// defaultLimit is how many entries are listed when the caller asks for no
	// number: a phone's first screen.
	defaultLimit = 10
)

// New makes an instance that serves FeedService on env.Listener, and writes
// the feed at env.NATSURL for as long as it lives. NATS may be away then and
// later: ListEntries fails meanwhile, and the feed catches up.
func New(ctx context.Context, env node.Env) (node.Instance, error) {
	bus, err := events.Connect(ctx, env.NATSURL)
	if err != nil {
		return nil, fmt.Errorf("feed: %w", err)
	}
	server := rpc.NewServer(rpc.ServerConfig{
		Service: env.Service, Instance: env.Instance, Listener: env.Listener, Log: env.Log,
		AccessLog: env.AccessLog,
	})
	stop := startWriter(context.WithoutCancel(ctx), bus, env.Log)
	server.OnClose(func() {
		stop()
		if err := bus.Close(); err != nil {
			env.Log.Warn("close the connection to NATS", "err", err)
		}
	})
	bankv1.RegisterFeedServiceServer(server.Registrar(), &service{bus: bus})
	return server, nil
}

type service struct {
	bankv1.UnimplementedFeedServiceServer
	bus *events.Bus
}

// ListEntries implements FeedService. An account without entries, even one
// that does not exist, has an empty feed.
func (s *service) ListEntries(ctx context.Context, req *bankv1.ListEntriesRequest) (*bankv1.ListEntriesResponse, error) {
	limit := int(req.GetLimit())
	switch {
	case req.GetAccount() == "":
		return nil, bank.Errorf(bank.Invalid, "account must not be empty")
	case limit < 0:
		return nil, bank.Errorf(bank.Invalid, "limit must not be negative, as %d is", limit)
	case limit == 0:
		limit = defaultLimit
	}
	ctx, cancel := context.WithTimeout(ctx, readWait)
	defer cancel()
	entries, err := s.bus.Feed(ctx, req.GetAccount(), limit)
	if err != nil {
		// A read changes nothing, so it may be called not executed.
		return nil, bank.Errorf(bank.Unavailable, "list entries: %w", err)
	}
	return &bankv1.ListEntriesResponse{Entries: entries}, nil
}

// startWriter begins to write the feed, and returns what ends that and waits
// for it.
func startWriter(ctx context.Context, bus *events.Bus, log *slog.Logger) (stop func()) {
	ctx, cancel := context.WithCancel(ctx)
	var done sync.WaitGroup
	done.Go(func() {
		err := events.Work(ctx, bus, events.WorkConfig{
			Stream:   events.Journal,
			Durable:  consumer,
			Subjects: []string{events.JournalOf(bank.StoreLedger)},
			Parallel: atOnce,
			Log:      log,
		}, func(ctx context.Context, published *eventsv1.JournalEntryPublished, _ events.Delivery) error {
			for _, l := range linesOf(published.GetEntry()) {
				if err := bus.AddToFeed(ctx, l.account, l.entry); err != nil {
					return err
				}
			}
			return nil
		})
		if !errors.Is(err, context.Canceled) {
			log.Error("the feed is not written any more", "err", err)
		}
	})
	return func() {
		cancel()
		done.Wait()
	}
}
