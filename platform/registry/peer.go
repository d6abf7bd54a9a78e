package registry

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

const (
	// lookEvery is how often a member is asked how it does, and steadyEvery if
	// it said the same the last time and was well: four questions a second are a
	// quarter of what an idle member does.
	lookEvery   = 250 * time.Millisecond
	steadyEvery = time.Second
	// renewAfter is how many looks in a row may go unanswered before the
	// connection is made anew.
	renewAfter = 3
	// readyPoll is how often a member that is awaited is asked.
	readyPoll = 20 * time.Millisecond
	// goneAfter is for how long a member that was started may be reported as
	// not running before it counts as dead: reports of other processes lag.
	goneAfter = 2 * time.Second
)

var errGone = errors.New("it has stopped, or its process is gone")

// look is what a member last said of itself; the zero value when it said
// nothing.
type look struct {
	answers bool
	leads   bool
}

// peer is a member as the cluster sees it: its host, and a connection over
// which it is looked at all the time, so that nobody who wants to know has to
// wait for it.
type peer struct {
	host Host
	seat Seat
	line *line

	seen     atomic.Pointer[look]
	end      context.CancelFunc
	watching sync.WaitGroup

	learner atomic.Bool // has been added and not been promoted yet
}

// newPeer looks after a host until it is closed.
func newPeer(host Host) (*peer, error) {
	p := &peer{host: host, seat: host.Seat()}
	var err error
	if p.line, err = newLine(p.seat.ClientAddr); err != nil {
		return nil, fmt.Errorf("member %s: %w", p.seat.Name, err)
	}
	p.seen.Store(&look{})
	ctx, cancel := context.WithCancel(context.Background())
	p.end = cancel
	p.watching.Go(func() { p.watch(ctx) })
	return p, nil
}

func (p *peer) close() error {
	p.end()
	p.watching.Wait()
	return p.line.close()
}

// watch asks the member how it does until the context ends.
func (p *peer) watch(ctx context.Context) {
	pause := time.NewTimer(lookEvery)
	defer pause.Stop()
	silent := 0
	for {
		resp, err := p.line.status(ctx)
		if ctx.Err() != nil {
			return
		}
		var now look
		if err == nil {
			now = look{answers: true, leads: resp.GetLeader() == resp.GetHeader().GetMemberId()}
		}
		if before := p.seen.Swap(&now); now.answers && before != nil && *before == now {
			pause.Reset(steadyEvery)
		} else {
			pause.Reset(lookEvery)
		}
		if silent++; status.Code(err) != codes.DeadlineExceeded {
			silent = 0
		} else if silent >= renewAfter {
			p.line.renew()
			silent = 0
		}
		select {
		case <-pause.C:
		case <-ctx.Done():
			return
		}
	}
}

// waitReady waits until the member has joined and serves. It gives up on one
// that is dead.
func (p *peer) waitReady(ctx context.Context) error {
	err := p.await(ctx, func() (bool, error) {
		_, err := p.line.status(ctx)
		return err == nil, err
	})
	if err != nil {
		return fmt.Errorf("wait for etcd member %s: %w", p.seat.Name, err)
	}
	return nil
}

// await polls until a condition on a started member holds. It gives up when the
// context ends or the member is dead, and then says why the condition did not
// hold, if that is known.
func (p *peer) await(ctx context.Context, holds func() (bool, error)) error {
	poll := time.NewTicker(readyPoll)
	defer poll.Stop()
	alive := time.Now()
	var why error
	for {
		ok, err := holds()
		if ok {
			return nil
		}
		if why == nil || ctx.Err() == nil {
			why = err
		}
		if p.host.Running() {
			alive = time.Now()
		}
		var end error
		switch {
		case ctx.Err() != nil:
			end = context.Cause(ctx)
		case time.Since(alive) >= goneAfter:
			end = errGone
		default:
			select {
			case <-poll.C:
			case <-ctx.Done():
			}
			continue
		}
		if why == nil {
			return end
		}
		return fmt.Errorf("%w; last answer: %w", end, why)
	}
}

// heardOf says whether the member's own list has so many members, one of them
// with the ID. One that is stopped and does not answer is asked by nobody, so
// it may know nothing.
func (p *peer) heardOf(ctx context.Context, id uint64, members int) (bool, error) {
	list, err := p.line.ownList(ctx)
	if err != nil {
		return !p.host.Running(), err
	}
	listed := false
	for _, m := range list {
		listed = listed || m.GetID() == id
	}
	if !listed || len(list) != members {
		return false, nil
	}
	return true, nil
}

// votes says whether the member has learnt that it votes.
func (p *peer) votes(ctx context.Context) (bool, error) {
	resp, err := p.line.status(ctx)
	return err == nil && !resp.GetIsLearner(), err
}
