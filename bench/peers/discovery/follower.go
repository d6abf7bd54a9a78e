package discovery

import (
	"context"
	"fmt"
	"sync"
	"time"
)

// kind is a kind of follower: what is compared.
type kind struct {
	name, about string
	start       func(bed) (follower, error)
}

// Names of the kinds.
const (
	guarded   = "guarded"
	acceptAll = "accept-all"
	informer  = "informer"
)

// kinds is what is compared, in the order of the result.
var kinds = []kind{
	{guarded, "breakbank's discovery with the policies of the arm guarded", startGuarded},
	{acceptAll, "the same without any guard", startAcceptAll},
	{informer, "client-go's shared informer on Endpoints", startInformer},
}

// bed is what a follower stands on.
type bed struct {
	options Options
	child   *child
	number  int    // of this follower in its fleet
	dir     string // for what it keeps on disk
	seen    *log
}

// apiServers lists the API servers, each follower's own first.
func (b bed) apiServers() []string {
	all := b.child.APIServers
	own := b.number % len(all)
	return append(append([]string{}, all[own:]...), all[:own]...)
}

// follower follows the table until it is closed.
type follower interface {
	// synced reports whether it has had the table once; settled, whether it
	// follows an API server and is content with it.
	synced() bool
	settled() bool
	// extra is what it says of itself besides.
	extra() extra
	close()
}

// extra is what followers count besides what they see.
type extra struct {
	// conflated are changes that were skipped for a newer one of the same
	// service.
	conflated int64
	// warnings are what the operator would have been told.
	warnings int64
	// direct are reads of etcd itself.
	direct int64
}

// sighting is a follower's first use of a service's entry.
type sighting struct {
	service  string
	revision int64
	at       int64 // nanoseconds of the wall clock
}

// log is what one follower has seen. It is safe for concurrent use.
type log struct {
	mu        sync.Mutex
	sightings []sighting
}

func (l *log) add(service string, revision int64) {
	at := time.Now().UnixNano()
	l.mu.Lock()
	defer l.mu.Unlock()
	l.sightings = append(l.sightings, sighting{service, revision, at})
}

// take returns what was seen since the last time.
func (l *log) take() []sighting {
	l.mu.Lock()
	defer l.mu.Unlock()
	taken := l.sightings
	l.sightings = nil
	return taken
}

// newest is the last revision seen of each service; what take has taken does
// not count.
func (l *log) newest() map[string]int64 {
	l.mu.Lock()
	defer l.mu.Unlock()
	newest := map[string]int64{}
	for _, s := range l.sightings {
		newest[s.service] = max(newest[s.service], s.revision)
	}
	return newest
}

// fleet is N followers of one kind.
type fleet struct {
	followers []follower
	logs      []*log
}

const (
	// startTogether is how many followers may be without a table at a time. In a
	// cluster each has a machine to itself; a hundred that list at once on one
	// would measure that, and routers would look for a quicker source.
	startTogether = 4
	// syncLimit is how long a fleet may take to follow: a hundred informers on
	// two cores decode for many seconds, and a router that has been led to etcd
	// goes back after ten.
	syncLimit = 2 * time.Minute
	syncEach  = 20 * time.Millisecond
)

// startFleet starts followers and waits until all follow.
func startFleet(ctx context.Context, k kind, n int, o Options, c *child, dir string) (*fleet, error) {
	f := &fleet{}
	limited, cancel := context.WithTimeoutCause(ctx, syncLimit, fmt.Errorf("%d × %s do not follow within %v", n, k.name, syncLimit))
	defer cancel()
	for i := range n {
		b := bed{options: o, child: c, number: i, dir: fmt.Sprintf("%s/%d", dir, i), seen: &log{}}
		one, err := k.start(b)
		if err != nil {
			f.close()
			return nil, fmt.Errorf("start %s: %w", k.name, err)
		}
		f.followers, f.logs = append(f.followers, one), append(f.logs, b.seen)
		if first := i + 1 - startTogether; first >= 0 {
			err = await(limited, f.followers[first].synced)
		}
		if err != nil {
			f.close()
			return nil, err
		}
	}
	for _, one := range f.followers {
		if err := await(limited, one.settled); err != nil {
			f.close()
			return nil, err
		}
	}
	return f, nil
}

// await waits until something holds.
func await(ctx context.Context, holds func() bool) error {
	if holds() {
		return nil
	}
	tick := time.NewTicker(syncEach)
	defer tick.Stop()
	for !holds() {
		select {
		case <-tick.C:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
	return nil
}

func (f *fleet) take() [][]sighting {
	all := make([][]sighting, len(f.logs))
	for i, l := range f.logs {
		all[i] = l.take()
	}
	return all
}

func (f *fleet) extra() extra {
	var sum extra
	for _, one := range f.followers {
		e := one.extra()
		sum.conflated += e.conflated
		sum.warnings += e.warnings
		sum.direct += e.direct
	}
	return sum
}

// close ends all followers and waits for them.
func (f *fleet) close() {
	var closing sync.WaitGroup
	for _, one := range f.followers {
		closing.Go(one.close)
	}
	closing.Wait()
}
