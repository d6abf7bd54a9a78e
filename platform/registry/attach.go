package registry

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
)

const (
	// attachPoll is how often a quorum is looked for.
	attachPoll = 100 * time.Millisecond
	// settlePatience bounds how long a learner that was found half way may take
	// to catch up before it is taken out.
	settlePatience = 10 * time.Second
)

// AttachCluster returns a cluster whose members start by themselves, or have
// done so long ago, each in its own process. It waits for a quorum of them, not
// for all.
//
// Those that have joined since are found by the list that the members agree on,
// by their peer addresses. A learner is promoted, or taken out when it cannot
// catch up: whoever wanted it can ask Grow again. Close stops no member.
func AttachCluster(ctx context.Context, cfg ClusterConfig) (*Cluster, error) {
	c, err := newCluster(cfg)
	if err != nil {
		return nil, fmt.Errorf("attach to the registry: %w", err)
	}
	if err = c.seatFirst(); err == nil {
		err = c.adopt(ctx)
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("attach to the registry: %w", err), c.Close())
	}
	return c, nil
}

// adopt seats every member that there is.
func (c *Cluster) adopt(ctx context.Context) error {
	members, err := c.awaitList(ctx)
	if err != nil {
		return err
	}
	left := slices.Clone(members)
	take := func(s Seat) *pb.Member {
		i := slices.IndexFunc(left, func(m *pb.Member) bool { return isAt(m, s) })
		if i < 0 {
			return nil
		}
		m := left[i]
		left = slices.Delete(left, i, i+1)
		return m
	}
	for _, p := range c.all() {
		if take(p.seat) == nil {
			return fmt.Errorf("%s at %s is none of its members, which are %s: do the topology and the data belong together?",
				p.seat.Name, p.seat.PeerAddr, describe(members))
		}
	}
	for i := c.cfg.Members; len(left) > 0 && i < MaxMembers; i++ {
		host, err := c.host(i)
		if err != nil {
			return fmt.Errorf("it has more members (%s) than there are places: %w", describe(members), err)
		}
		m := take(host.Seat())
		if m == nil {
			continue
		}
		p, err := c.seat(i)
		if err != nil {
			return err
		}
		if m.GetIsLearner() {
			p.learner.Store(true)
			if err := c.settle(ctx, p, m); err != nil {
				return err
			}
		}
	}
	if len(left) > 0 {
		return fmt.Errorf("it has members that no place is known for: %s", describe(left))
	}
	return nil
}

// awaitList waits for a quorum, and returns the list that it agrees on.
func (c *Cluster) awaitList(ctx context.Context) ([]*pb.Member, error) {
	again := time.NewTicker(attachPoll)
	defer again.Stop()
	var last error
	for {
		members, err := c.list(ctx)
		if err == nil {
			return members, nil
		}
		if !transient(err) {
			return nil, err
		}
		if last == nil || ctx.Err() == nil {
			last = err
		}
		select {
		case <-again.C:
		case <-ctx.Done():
			return nil, fmt.Errorf("%w; last answer: %w", context.Cause(ctx), last)
		}
	}
}

// settle ends a join that somebody else began: one that has never run is taken
// out, and so is one that does not serve.
func (c *Cluster) settle(ctx context.Context, p *peer, m *pb.Member) error {
	refused := errors.New("it has never run")
	if m.GetName() != "" {
		limited, cancel := context.WithTimeout(ctx, settlePatience)
		defer cancel()
		if refused = p.waitReady(limited); refused == nil {
			var promoted bool
			if promoted, refused = c.promote(limited, p, m.GetID()); promoted {
				return nil
			}
		}
	}
	c.cfg.Log.Warn("taking out a learner that was found half way", "member", p.seat.Name, "reason", refused)
	err := c.remove(ctx, p.seat, func(m *pb.Member) bool { return m.GetIsLearner() })
	if err != nil {
		return fmt.Errorf("take learner %s out: %w", p.seat.Name, err)
	}
	if err := c.forget(ctx, p); err != nil {
		c.cfg.Log.Warn("the learner that was taken out may still run", "member", p.seat.Name, "error", err)
	}
	return nil
}

// describe lists members for a reader.
func describe(members []*pb.Member) string {
	list := make([]string, 0, len(members))
	for _, m := range members {
		name := m.GetName()
		if name == "" {
			name = "unnamed"
		}
		list = append(list, name+" at "+strings.Join(m.GetPeerURLs(), ", "))
	}
	return strings.Join(list, "; ")
}
