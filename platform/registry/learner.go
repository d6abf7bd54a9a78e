package registry

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"time"

	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	"go.etcd.io/etcd/api/v3/v3rpc/rpctypes"
)

// expelTimeout bounds the clean-up after a failed join, whose own context may
// be over.
const expelTimeout = 10 * time.Second

// startLearner starts a member that has just been added and returns when it
// has caught up enough to serve.
func (p *peer) startLearner(ctx context.Context, initialCluster string, log *slog.Logger) error {
	for attempt := 1; ; attempt++ {
		state := StateExisting
		if attempt == 1 {
			state = StateJoin
		}
		if err := p.host.Start(ctx, initialCluster, state); err != nil {
			return err
		}
		limit := ctx
		cancel := func() {}
		if attempt < learnerAttempts {
			limit, cancel = context.WithTimeout(ctx, learnerPatience)
		}
		err := p.waitReady(limit)
		cancel()
		if err == nil || ctx.Err() != nil || attempt == learnerAttempts {
			return err
		}
		log.Warn("learner does not serve yet, starting it again", "member", p.seat.Name, "attempt", attempt)
		if err := p.host.Stop(ctx); err != nil {
			return err
		}
	}
}

// expel takes a member out that could not join.
func (c *Cluster) expel(ctx context.Context, p *peer) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), expelTimeout)
	defer cancel()
	err := c.remove(ctx, p.seat, func(*pb.Member) bool { return true })
	if err != nil {
		err = fmt.Errorf("take %s out again: %w", p.seat.Name, err)
	}
	return errors.Join(err, c.forget(ctx, p))
}

// forget stops a member that is one no more.
func (c *Cluster) forget(ctx context.Context, p *peer) error {
	c.mu.Lock()
	c.peers = slices.DeleteFunc(slices.Clone(c.peers), func(other *peer) bool { return other == p })
	c.mu.Unlock()
	err := p.host.Stop(ctx)
	if err != nil {
		err = fmt.Errorf("stop %s: %w", p.seat.Name, err)
	}
	return errors.Join(err, p.close())
}

// removeLearner takes the learner out that has a seat; one that votes stays.
func (c *Cluster) removeLearner(ctx context.Context, s Seat) error {
	err := c.remove(ctx, s, func(m *pb.Member) bool { return m.GetIsLearner() })
	if err != nil {
		return fmt.Errorf("take an earlier learner out: %w", err)
	}
	return nil
}

// remove takes out whoever has a seat, if it may go. It is no error if nobody
// has it.
func (c *Cluster) remove(ctx context.Context, s Seat, may func(*pb.Member) bool) error {
	members, err := c.list(ctx)
	if err != nil {
		return err
	}
	for _, m := range members {
		if !isAt(m, s) || !may(m) {
			continue
		}
		err := c.ask(ctx, func(ctx context.Context, etcd pb.ClusterClient) error {
			_, err := etcd.MemberRemove(ctx, &pb.MemberRemoveRequest{ID: m.GetID()})
			return err
		})
		if err != nil && !errors.Is(err, rpctypes.ErrMemberNotFound) {
			return err
		}
	}
	return nil
}
