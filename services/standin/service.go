// Package standin decides card payments when their processor cannot. It has
// its own copy of the balances, seeded as the bank is and kept up from the
// ledger's journal, on its own disk; to decide it needs neither registry,
// router nor book. The copy may be stale: what is overspent because of that is
// an accepted risk, and recorded.
//
// Every decision, yes or no, is an advice to the primary: it is durable in the
// event log before it is answered, and delivered, by name, until the primary
// has acknowledged it.
package standin

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
	serviceName = "standin"
	primaryName = "cardauth"
)

type service struct {
	bankv1.UnimplementedStandInServiceServer
	log      *slog.Logger
	holdings *holdings
	bus      *events.Bus
	now      func() time.Time
}

// New builds an instance that serves once Serve is called. It follows the
// journal and delivers advices from then on; to deliver it uses env.Dialer,
// which stays the caller's, and its own store is in env.DataDir.
func New(ctx context.Context, env node.Env) (node.Instance, error) {
	toPrimary, err := env.Dialer.Dial(ctx, primaryName)
	if err != nil {
		return nil, fmt.Errorf("build %s: dial %s: %w", env.Instance, primaryName, err)
	}
	store, err := openDisk(env.DataDir, env.Log)
	if err != nil {
		return nil, fmt.Errorf("build %s: %w", env.Instance, err)
	}
	own, err := openHoldings(store, bank.SeedOperations(bank.StoreLedger))
	if err != nil {
		return nil, errors.Join(fmt.Errorf("build %s: %w", env.Instance, err), store.close())
	}
	bus, err := events.Connect(ctx, env.NATSURL)
	if err != nil {
		return nil, errors.Join(fmt.Errorf("build %s: %w", env.Instance, err), store.close())
	}
	s := &service{log: env.Log, holdings: own, bus: bus, now: time.Now}
	server := rpc.NewServer(rpc.ServerConfig{
		Service: env.Service, Instance: env.Instance, Listener: env.Listener, Log: env.Log,
		AccessLog: env.AccessLog,
	})
	bankv1.RegisterStandInServiceServer(server.Registrar(), s)
	stop := s.start(&drainer{bus: bus, primary: bankv1.NewCardAuthServiceClient(toPrimary)})
	server.OnClose(func() {
		stop()
		if err := errors.Join(bus.Close(), store.close()); err != nil {
			env.Log.Warn("close stand-in", "error", err)
		}
	})
	return server, nil
}

// start follows the journal and delivers advices until stop, which waits.
func (s *service) start(d *drainer) (stop func()) {
	ctx, cancel := context.WithCancel(context.Background())
	var running sync.WaitGroup
	running.Go(func() { s.ended(ctx, "follow the journal", s.follow(ctx)) })
	running.Go(func() {
		s.ended(ctx, "deliver advices", d.run(ctx, events.WorkConfig{
			Stream: events.Advices, Durable: drainerName, Log: s.log,
			RatePerS: events.MaxRatePerS, Parallel: deliveriesAtOnce,
		}))
	})
	return func() {
		cancel()
		running.Wait()
	}
}

func (s *service) ended(ctx context.Context, doing string, err error) {
	if ctx.Err() == nil {
		s.log.Error(doing+" ended", "error", err)
	}
}

// follow takes in the ledger's journal as it comes.
func (s *service) follow(ctx context.Context) error {
	config := events.FollowConfig{
		Stream: events.Journal, Subjects: []string{events.JournalOf(bank.StoreLedger)}, From: s.holdings.last() + 1,
	}
	return events.Follow(ctx, s.bus, config,
		func(_ context.Context, published *eventsv1.JournalEntryPublished, at events.Delivery) error {
			return s.holdings.take(published.GetEntry(), at.Sequence)
		})
}

// Authorise decides a payment from the copy, within stand-in's own limits: 14
// no such card, 54 expired, 05 frozen, 61 over a limit, 51 insufficient funds,
// 00 approved. 96 says that the payment has been reversed. The same key gets
// the same answer. After an error the decision may yet reach the primary; the
// caller reverses it there, under the key of its advice.
func (s *service) Authorise(ctx context.Context, req *bankv1.AuthoriseRequest) (*bankv1.AuthoriseResponse, error) {
	rpc.MarkFallback(ctx)
	if err := bank.CheckPayment(req); err != nil {
		return nil, err
	}
	made, err := s.holdings.decide(req, s.now())
	if err != nil {
		return nil, bank.Wrap(err, "stand in for %s", req.GetIdempotencyKey())
	}
	if made.reversed {
		return &bankv1.AuthoriseResponse{ResponseCode: bank.SystemError, DecidedBy: serviceName}, nil
	}
	if err := raise(ctx, s.bus, made.advice); err != nil {
		return nil, bank.Wrap(err, "stand in for %s", req.GetIdempotencyKey())
	}
	return &bankv1.AuthoriseResponse{ResponseCode: made.advice.GetResponseCode(), DecidedBy: serviceName}, nil
}

// GetBacklog says how many advices the primary has not acknowledged yet, and
// how many it has.
func (s *service) GetBacklog(ctx context.Context, _ *bankv1.GetBacklogRequest) (*bankv1.GetBacklogResponse, error) {
	backlog, err := s.bus.Backlog(ctx, events.Advices)
	if err != nil {
		return nil, bank.Wrap(err, "read the backlog")
	}
	return &bankv1.GetBacklogResponse{Pending: backlog.Pending, Acknowledged: backlog.Done}, nil
}
