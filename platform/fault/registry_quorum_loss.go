package fault

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"
)

// Bounds of registry-quorum-loss.
const (
	quorumLossLimit   = 10 * time.Second // until reads fail
	quorumReturnLimit = 30 * time.Second // until reads succeed again
	quorumProbeEvery  = 500 * time.Millisecond
	quorumProbeLimit  = time.Second
)

// registryTarget is the only target of faults on the registry as a whole.
const registryTarget = "registry"

var registryQuorumLoss = Kind{
	Name:    "registry-quorum-loss",
	About:   "as many etcd members are stopped as it takes to lose the quorum; their data stays",
	Targets: func(Victims) []string { return []string{registryTarget} },
	Inject: func(ctx context.Context, v Victims, target string, params map[string]string) (Active, error) {
		if err := onlyKnown(params); err != nil {
			return nil, err
		}
		if target != registryTarget {
			return nil, fmt.Errorf("no target %q", target)
		}
		q := &lostQuorum{victims: v, stopped: tooMany(v.Members())}
		if err := q.begin(ctx); err != nil {
			return nil, errors.Join(fmt.Errorf("lose the quorum: %w", err), q.restore(context.WithoutCancel(ctx)))
		}
		life, cancel := context.WithCancel(context.WithoutCancel(ctx))
		q.stopProbe = cancel
		q.probing.Go(func() { q.probe(life) })
		return q, nil
	},
}

// tooMany picks the fewest members without which there is no quorum. The last
// to join go first.
func tooMany(members []string) []string {
	quorum := len(members)/2 + 1
	return members[quorum-1:]
}

type lostQuorum struct {
	victims Victims
	stopped []string

	failedReads atomic.Int64
	returned    atomic.Bool

	clear     sync.Mutex
	stopProbe context.CancelFunc
	probing   sync.WaitGroup
}

func (q *lostQuorum) begin(ctx context.Context) error {
	for _, name := range q.stopped {
		if err := q.victims.StopMember(ctx, name); err != nil {
			return fmt.Errorf("stop %s: %w", name, err)
		}
	}
	return until(ctx, quorumLossLimit, func() bool {
		if !q.serves(ctx) {
			q.failedReads.Add(1)
			return true
		}
		return false
	})
}

func (q *lostQuorum) serves(ctx context.Context) bool {
	ctx, cancel := context.WithTimeout(ctx, quorumProbeLimit)
	defer cancel()
	return q.victims.RegistryServes(ctx)
}

// probe keeps counting reads that fail, to show that the fault holds.
func (q *lostQuorum) probe(ctx context.Context) {
	again := time.NewTicker(quorumProbeEvery)
	defer again.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-again.C:
			if !q.serves(ctx) && ctx.Err() == nil {
				q.failedReads.Add(1)
			}
		}
	}
}

// Clear brings the members back, all at once since none serves alone, and
// waits until the registry does.
func (q *lostQuorum) Clear(ctx context.Context) error {
	q.clear.Lock()
	defer q.clear.Unlock()
	q.stopProbe()
	q.probing.Wait()
	if err := q.restore(ctx); err != nil {
		return err
	}
	if err := until(ctx, quorumReturnLimit, func() bool { return q.serves(ctx) }); err != nil {
		return fmt.Errorf("the quorum has not returned: %w", err)
	}
	q.returned.Store(true)
	return nil
}

func (q *lostQuorum) restore(ctx context.Context) error {
	var starting errgroup.Group
	for _, name := range q.stopped {
		starting.Go(func() error {
			if err := q.victims.StartMember(ctx, name); err != nil {
				return fmt.Errorf("start %s: %w", name, err)
			}
			return nil
		})
	}
	return starting.Wait()
}

func (q *lostQuorum) Proof() Proof {
	p := Proof{
		Count:    q.failedReads.Load(),
		Evidence: fmt.Sprintf("%d members stopped, %d linearizable reads failed", len(q.stopped), q.failedReads.Load()),
	}
	if q.returned.Load() {
		p.Evidence += ", and succeed again"
	}
	return p
}
