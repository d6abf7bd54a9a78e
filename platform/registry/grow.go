package registry

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	"go.etcd.io/etcd/api/v3/v3rpc/rpctypes"
)

// joinPatience bounds the joining of one member. Alone it takes a second; etcd
// waits half a minute for a peer whose host has no address at the moment, and
// for one that hangs.
const joinPatience = 2 * time.Minute

var errNotJoined = fmt.Errorf("it has not joined within %s", joinPatience)

// A new member announces itself to the others once, right after it has started.
// If its connection to the leader is not up by then, the announcement is lost,
// and etcd repeats it only after 5 s plus two election timeouts. A learner that
// does not serve after learnerPatience is therefore started again, at most
// learnerAttempts times in all; it does not vote, so nobody misses it.
const (
	learnerPatience = time.Second
	learnerAttempts = 5
)

// heardPatience bounds the wait for the slowest peer to hear of a newcomer:
// several times what etcd takes to repair a connection between members (see
// learnerPatience).
const heardPatience = 30 * time.Second

// promotePoll is how often a learner is put forward for promotion until the
// leader finds that it has caught up.
const promotePoll = 50 * time.Millisecond

// Grow adds members one by one until there are that many, while the cluster
// serves. Each joins as a learner, which does not count for the quorum, and is
// promoted once it has caught up: no moment needs the answer of a member that
// is still empty. added is called after each promotion; it may be nil.
//
// When it fails half way, the members promoted so far stay; the learner that
// was joining is taken out again. A member whose host dies while it joins fails
// it within joinPatience.
func (c *Cluster) Grow(ctx context.Context, members int, added func(name string, size int)) error {
	if members > MaxMembers {
		return fmt.Errorf("grow registry: %d members, want at most %d", members, MaxMembers)
	}
	ctx, release, err := c.acquire(ctx)
	if err != nil {
		return fmt.Errorf("grow registry: %w", err)
	}
	defer release()
	for size := len(c.all()); size < members; size++ {
		name, err := c.join(ctx)
		if err != nil {
			return fmt.Errorf("grow registry to %d members: %w", size+1, err)
		}
		if added != nil {
			added(name, size+1)
		}
	}
	return nil
}

// join adds the next member and returns its name when it votes and serves.
func (c *Cluster) join(ctx context.Context) (string, error) {
	ctx, cancel := context.WithTimeoutCause(ctx, joinPatience, errNotJoined)
	defer cancel()
	p, err := c.seat(c.nextPlace())
	if err != nil {
		return "", err
	}
	p.learner.Store(true)
	id, err := c.add(ctx, p.seat)
	if err == nil {
		err = c.awaitHeard(ctx, p, id)
	}
	if err == nil {
		err = p.startLearner(ctx, c.initialCluster(), c.cfg.Log)
	}
	if err == nil {
		_, err = c.promote(ctx, p, id)
	}
	if err != nil {
		return "", errors.Join(fmt.Errorf("member %s: %w", p.seat.Name, err), c.expel(ctx, p))
	}
	return p.seat.Name, nil
}

// nextPlace is the first that no member has.
func (c *Cluster) nextPlace() int {
	all := c.all()
	for i, h := range c.hosts {
		if !slices.ContainsFunc(all, func(p *peer) bool { return p.host == h }) {
			return i
		}
	}
	return len(c.hosts)
}

// add makes a newcomer a learner and returns its ID. If an earlier attempt has
// left one in its seat, or its answer was lost, that is taken out first: whatever
// it has learnt is about to be forgotten.
func (c *Cluster) add(ctx context.Context, newcomer Seat) (uint64, error) {
	var id uint64
	try := func() error {
		return c.ask(ctx, func(ctx context.Context, etcd pb.ClusterClient) error {
			resp, err := etcd.MemberAdd(ctx, &pb.MemberAddRequest{PeerURLs: []string{newcomer.peerURL()}, IsLearner: true})
			id = resp.GetMember().GetID()
			return err
		})
	}
	err := try()
	if errors.Is(err, rpctypes.ErrPeerURLExist) {
		if err = c.removeLearner(ctx, newcomer); err == nil {
			err = try()
		}
	}
	if errors.Is(err, rpctypes.ErrMemberNotFound) {
		// What etcd says to an ID that it has removed: it makes them of the
		// address and the second, so the next second's is another.
		if err = rest(ctx, time.Second); err == nil {
			err = try()
		}
	}
	if err != nil {
		return 0, fmt.Errorf("add as a learner: %w", err)
	}
	return id, nil
}

// rest waits for d, unless the context ends before.
func rest(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// awaitHeard waits until each other member that runs lists exactly those that
// there are, the newcomer among them. A new member asks its peers for the list
// of members, takes that of the first one that answers, and refuses to start
// when it is not in it. Peers learn of an addition a heartbeat after the
// leader, or later if they lag.
func (c *Cluster) awaitHeard(ctx context.Context, newcomer *peer, id uint64) error {
	ctx, cancel := context.WithTimeout(ctx, heardPatience)
	defer cancel()
	all := c.all()
	poll := time.NewTicker(readyPoll)
	defer poll.Stop()
	for _, p := range all {
		if p == newcomer {
			continue
		}
		for {
			heard, why := p.heardOf(ctx, id, len(all))
			if heard {
				break
			}
			select {
			case <-poll.C:
				continue
			case <-ctx.Done():
			}
			err := fmt.Errorf("%s has not heard of it: %w", p.seat.Name, context.Cause(ctx))
			if why != nil {
				err = fmt.Errorf("%w; it answers: %w", err, why)
			}
			return err
		}
	}
	return nil
}

// promote makes a learner that serves a voting member as soon as the leader
// agrees, and returns when the member itself has learnt of it and answers
// clients. It says whether the cluster counts on the member, even if that is
// lost since.
func (c *Cluster) promote(ctx context.Context, p *peer, id uint64) (promoted bool, err error) {
	var refused error
	var put time.Time
	err = p.await(ctx, func() (bool, error) {
		if promoted {
			return p.votes(ctx)
		}
		if time.Since(put) < promotePoll {
			return false, refused
		}
		put = time.Now()
		promoted, refused = c.putForward(ctx, id)
		return refused != nil && fatal(refused), refused
	})
	if err == nil && !promoted {
		err = refused
	}
	if promoted {
		p.learner.Store(false)
	}
	if err != nil {
		return promoted, fmt.Errorf("promote: %w", err)
	}
	return true, nil
}

// putForward asks for the promotion of a learner; nobody minds if it has been
// promoted already.
func (c *Cluster) putForward(ctx context.Context, id uint64) (bool, error) {
	err := c.ask(ctx, func(ctx context.Context, etcd pb.ClusterClient) error {
		_, err := etcd.MemberPromote(ctx, &pb.MemberPromoteRequest{ID: id})
		return err
	})
	if errors.Is(err, rpctypes.ErrMemberNotLearner) {
		err = nil
	}
	return err == nil, err
}

// fatal says whether a promotion that was refused will be refused for ever.
func fatal(err error) bool {
	return !errors.Is(err, rpctypes.ErrMemberLearnerNotReady) && !transient(err)
}
