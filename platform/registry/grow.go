package registry

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"go.etcd.io/etcd/api/v3/v3rpc/rpctypes"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// promotePoll is how often a learner is put forward for promotion until the
// leader finds that it has caught up.
const promotePoll = 50 * time.Millisecond

// A new member announces itself to the others once, right after it has started.
// If its connection to the leader is not up by then, the announcement is lost,
// and etcd repeats it only after 5 s plus two election timeouts. A learner that
// does not serve after learnerPatience is therefore started again, at most
// learnerAttempts times in all; it does not vote, so nobody misses it.
const (
	learnerPatience = time.Second
	learnerAttempts = 5
)

// A new member asks its peers for the list of members, takes that of the first
// one that answers, and refuses to start when it is not in it. Peers learn of
// an addition a heartbeat after the leader, or later if they lag.
const (
	// heardPatience bounds the wait for the slowest peer: several times what
	// etcd takes to repair a connection between members (see learnerPatience).
	heardPatience = 30 * time.Second
	// heardPoll is how often the peers' lists are looked at.
	heardPoll = 10 * time.Millisecond
)

// Grow adds members one by one until there are that many, while the cluster
// serves. Each joins as a learner, which does not count for the quorum, and is
// promoted once it has caught up: no moment needs the answer of a member that
// is still empty. added is called after each promotion; it may be nil.
//
// When it fails half way, the members promoted so far stay; the learner that
// was joining is taken out again.
func (c *Cluster) Grow(ctx context.Context, members int, added func(name string, size int)) error {
	c.change.Lock()
	defer c.change.Unlock()
	if members > MaxMembers {
		return fmt.Errorf("grow registry: %d members, want at most %d", members, MaxMembers)
	}
	for size := len(c.Members()); size < members; size++ {
		m, err := c.join(ctx, size)
		if err != nil {
			return fmt.Errorf("grow registry to %d members: %w", size+1, err)
		}
		if added != nil {
			added(m.name, size+1)
		}
	}
	return nil
}

// join adds the next member and returns when it votes and serves.
func (c *Cluster) join(ctx context.Context, index int) (*member, error) {
	m, err := c.newMember(index)
	if err != nil {
		return nil, err
	}
	resp, err := c.admin.MemberAddAsLearner(ctx, []string{"http://" + m.peerAddr})
	if err != nil {
		return nil, fmt.Errorf("add %s as a learner: %w", m.name, err)
	}
	m.learner = true
	c.mu.Lock()
	all := append(c.members[:len(c.members):len(c.members)], m)
	c.members = all
	c.mu.Unlock()
	if err = awaitHeard(ctx, all, resp.Member.ID); err == nil {
		err = m.startLearner(ctx, initialCluster(all))
	}
	if err == nil {
		err = c.promote(ctx, m, resp.Member.ID)
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("member %s: %w", m.name, err), c.expel(ctx, m, resp.Member.ID))
	}
	c.admin.SetEndpoints(c.ClientAddrs()...)
	return m, nil
}

// awaitHeard waits until each member that runs lists exactly those that there
// are, the newcomer with this ID among them.
func awaitHeard(ctx context.Context, all []*member, newcomer uint64) error {
	ctx, cancel := context.WithTimeout(ctx, heardPatience)
	defer cancel()
	poll := time.NewTicker(heardPoll)
	defer poll.Stop()
	for {
		behind := slices.IndexFunc(all, func(m *member) bool { return !m.heardOf(newcomer, len(all)) })
		if behind < 0 {
			return nil
		}
		select {
		case <-poll.C:
		case <-ctx.Done():
			return fmt.Errorf("%s has not heard of it: %w", all[behind].name, ctx.Err())
		}
	}
}

// heardOf reports whether the member's own list has so many members, one of
// them with the ID. A stopped one is asked by nobody, so it may know nothing.
func (m *member) heardOf(id uint64, members int) bool {
	etcd := m.running()
	if etcd == nil {
		return true
	}
	listed := false
	list := etcd.Server.Cluster().Members()
	for _, peer := range list {
		listed = listed || uint64(peer.ID) == id
	}
	return listed && len(list) == members
}

// startLearner starts a member that has just been added and returns when it
// has caught up enough to serve.
func (m *member) startLearner(ctx context.Context, initialCluster string) error {
	for attempt := 1; ; attempt++ {
		if err := m.start(initialCluster, clusterExisting); err != nil {
			return err
		}
		limit := ctx
		cancel := func() {}
		if attempt < learnerAttempts {
			limit, cancel = context.WithTimeout(ctx, learnerPatience)
		}
		err := m.waitReady(limit)
		cancel()
		if err == nil || ctx.Err() != nil || attempt == learnerAttempts {
			return err
		}
		m.log.Warn("learner does not serve yet, starting it again", "attempt", attempt)
		m.stop()
	}
}

// promote makes a learner a voting member as soon as the leader agrees, and
// returns when the member itself has learnt of it and answers clients.
func (c *Cluster) promote(ctx context.Context, m *member, id uint64) error {
	poll := time.NewTicker(promotePoll)
	defer poll.Stop()
	promoted := false
	for {
		var err error
		if !promoted {
			_, err = c.admin.MemberPromote(ctx, id)
		}
		switch {
		case err == nil, errors.Is(err, rpctypes.ErrMemberNotLearner):
			promoted = true
			if m.knowsItVotes() {
				return nil
			}
		case !errors.Is(err, rpctypes.ErrMemberLearnerNotReady) && status.Code(err) != codes.Unavailable:
			return fmt.Errorf("promote: %w", err)
		}
		select {
		case <-poll.C:
		case <-ctx.Done():
			return fmt.Errorf("promote: %w, last answer: %w", ctx.Err(), err)
		}
	}
}

// knowsItVotes reports whether the member has learnt of its promotion, and
// from then on counts as one that clients may use.
func (m *member) knowsItVotes() bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.learner = m.etcd.Server.IsLearner()
	return !m.learner
}

// expelTimeout bounds the clean-up after a failed join, whose own context may
// be over.
const expelTimeout = 5 * time.Second

// expel takes a learner out that could not join.
func (c *Cluster) expel(ctx context.Context, m *member, id uint64) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), expelTimeout)
	defer cancel()
	_, err := c.admin.MemberRemove(ctx, id)
	if err != nil {
		err = fmt.Errorf("remove learner %s: %w", m.name, err)
	}
	c.mu.Lock()
	c.members = c.members[:len(c.members)-1]
	c.mu.Unlock()
	m.stop()
	return err
}
