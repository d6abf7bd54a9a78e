package discovery

import (
	"context"
	"fmt"
	"runtime"
	"time"

	"breakbank/bench/machine"
)

const (
	// warmUp is how long changes flow before they are counted: the first ones
	// find everybody's buffers and caches empty.
	warmUp = time.Second
	// drainLimit is how long the last change may take to reach everybody.
	drainLimit = 20 * time.Second
)

// sample is one kind of follower, measured once.
type sample struct {
	followers int
	commits   []commit
	use       fleetUse
	// published is how many entries each follower's table was told of, all
	// followers together.
	published int
	// drainedMs is from the last commit until every follower had everything.
	drainedMs float64
	// followerCPU and registryCPU are the processor times of the two processes
	// while changes flowed.
	followerCPU, registryCPU time.Duration
	// memoryBytes is what one follower holds: heap and stacks.
	memoryBytes float64
	extra       extra
	machine     machine.Time
}

// run is what is under way.
type run struct {
	options Options
	child   *child
	dir     string
	fleets  int // started so far
}

// measure starts a fleet, has the table changed, and ends the fleet.
func (r *run) measure(ctx context.Context, k kind, followers int, c change) (sample, error) {
	s := sample{followers: followers}
	before := memory()
	r.fleets++
	f, err := startFleet(ctx, k, followers, r.options, r.child, fmt.Sprintf("%s/fleet-%d", r.dir, r.fleets))
	if err != nil {
		return s, err
	}
	defer f.close()
	f.take() // of the first list: it is not to count as theirs
	s.memoryBytes = (memory() - before) / float64(followers)
	if _, err := r.flow(ctx, f, change{PerS: c.PerS, Duration: warmUp, Seed: c.Seed}); err != nil {
		return s, err
	}
	f.take()

	rest, err := r.child.do(ctx, order{Rest: true})
	if err != nil {
		return s, err
	}
	cpu, err := ownCPU()
	if err != nil {
		return s, err
	}
	began := machine.Now()
	done, err := r.flow(ctx, f, c)
	if err != nil {
		return s, err
	}
	s.machine = machine.Now().Minus(began)
	s.registryCPU = done.CPU - rest.CPU
	if s.followerCPU, err = ownCPU(); err != nil {
		return s, err
	}
	s.followerCPU -= cpu
	seen := f.take()
	for _, one := range seen {
		s.published += len(one)
	}
	s.commits, s.use, s.extra = done.Commits, lastUse(done.Commits, seen), f.extra()
	s.drainedMs = drained(done.Commits, seen)
	return s, nil
}

// flow has the table changed and waits until every follower has the last of
// it. One that does not within drainLimit is found out by lastUse.
func (r *run) flow(ctx context.Context, f *fleet, c change) (answer, error) {
	done, err := r.child.do(ctx, order{Change: &c})
	if err != nil {
		return done, err
	}
	last := newestOf(done.Commits)
	limited, cancel := context.WithTimeout(ctx, drainLimit)
	defer cancel()
	tick := time.NewTicker(syncEach)
	defer tick.Stop()
	for _, l := range f.logs {
		for !covers(l.newest(), last) {
			select {
			case <-tick.C:
			case <-limited.Done():
				return done, context.Cause(ctx) // nil unless the run is stopped
			}
		}
	}
	return done, nil
}

// newestOf is the last revision of each service.
func newestOf(commits []commit) map[string]int64 {
	newest := map[string]int64{}
	for _, c := range commits {
		newest[c.Service] = max(newest[c.Service], c.Revision)
	}
	return newest
}

func covers(have, want map[string]int64) bool {
	for service, revision := range want {
		if have[service] < revision {
			return false
		}
	}
	return true
}

// drained is the time from the last commit until every follower had the last
// revision of every service, in ms.
func drained(commits []commit, seen [][]sighting) float64 {
	last := newestOf(commits)
	var lastCommit, lastSeen int64
	for _, c := range commits {
		lastCommit = max(lastCommit, c.Committed)
	}
	for _, sightings := range seen {
		for _, s := range sightings {
			if s.revision == last[s.service] {
				lastSeen = max(lastSeen, s.at)
			}
		}
	}
	return float64(max(0, lastSeen-lastCommit)) / nsPerMs
}

// memory is what this process holds in use.
func memory() float64 {
	runtime.GC()
	runtime.GC() // what finalizers held until the first
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return float64(m.HeapAlloc) + float64(m.StackInuse)
}
