package cluster

import (
	"context"
	"encoding/json"
	"log/slog"
	"maps"
	"net"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"

	"breakbank/platform/node"
	"breakbank/platform/registry"
	adminv1 "breakbank/proto/admin/v1"
)

const (
	// judgeEvery is how often each router's table is held against etcd.
	judgeEvery = 200 * time.Millisecond
	// judgeGrace is how long a table may lag before it is called stale: an
	// update that is on its way is not stale discovery.
	judgeGrace = 400 * time.Millisecond
	// judgeRewatch is the pause before a broken watch of etcd is opened again.
	judgeRewatch = 200 * time.Millisecond
)

// judge knows from etcd itself where every service is, and holds each
// router's table against that. It stands outside of the system: no router
// sees it, and it sees what no router in 2017 could.
type judge struct {
	store   *registry.Store
	routers map[string]nodeHandle
	log     *slog.Logger

	mu       sync.Mutex
	truth    map[string]string // Service → addresses, sorted and joined.
	revision int64
	verdicts map[string]verdict

	stop context.CancelFunc
	done sync.WaitGroup
}

// verdict is what the judge finds about one router.
type verdict struct {
	state adminv1.DiscoveryState
	// behindSince is when the table began to differ; zero when it does not.
	behindSince time.Time
	detail      string
	// revision of endpoints that it was held against.
	revision int64
}

func (p *Platform) startJudge(context.Context) error {
	ctx, stop := context.WithCancel(context.Background())
	p.judge = &judge{
		store: p.records, routers: p.nodes,
		log: p.logs.Of("judge"), truth: map[string]string{}, verdicts: map[string]verdict{}, stop: stop,
	}
	p.judge.done.Go(func() { p.judge.followEtcd(ctx) })
	p.judge.done.Go(func() { p.judge.sit(ctx) })
	p.onClose("judge", func() error { stop(); p.judge.done.Wait(); return nil })
	return nil
}

// followEtcd keeps the truth current until ctx ends.
func (j *judge) followEtcd(ctx context.Context) {
	for ctx.Err() == nil {
		if err := j.watchOnce(ctx); err != nil && ctx.Err() == nil {
			j.log.Warn("watching endpoints in etcd", "error", err)
		}
		again := time.NewTimer(judgeRewatch)
		select {
		case <-ctx.Done():
		case <-again.C:
		}
		again.Stop()
	}
}

func (j *judge) watchOnce(ctx context.Context) error {
	all, revision, err := j.store.ListRaw(ctx, "endpoints", registry.ReadOptions{})
	if err != nil {
		return err
	}
	truth := map[string]string{}
	for _, raw := range all {
		truth[raw.Name] = joinAddresses(addressesIn(raw.JSON))
	}
	j.mu.Lock()
	j.truth, j.revision = truth, revision
	j.mu.Unlock()

	events, err := j.store.Watch(ctx, "endpoints", revision+1)
	if err != nil {
		return err
	}
	for e := range events {
		switch e.Type {
		case registry.Put:
			j.learn(e.Raw.Name, joinAddresses(addressesIn(e.Raw.JSON)), e.Revision)
		case registry.Delete:
			j.learn(e.Raw.Name, "", e.Revision)
		case registry.Error:
			return e.Err
		}
	}
	return nil
}

func (j *judge) learn(name, addresses string, revision int64) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.truth[name], j.revision = addresses, revision
}

// sit holds court until ctx ends.
func (j *judge) sit(ctx context.Context) {
	tick := time.NewTicker(judgeEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case now := <-tick.C:
			for name, agent := range j.routers {
				j.hear(name, agent.RouterStatus(), now)
			}
		}
	}
}

// hear judges one router's table.
func (j *judge) hear(name string, s node.RouterStatus, now time.Time) {
	j.mu.Lock()
	defer j.mu.Unlock()
	v := verdict{detail: s.Detail, revision: j.revision}
	switch {
	case !s.Running:
		v.state = adminv1.DiscoveryState_DISCOVERY_STATE_DOWN
	case s.Poisoned:
		v.state = adminv1.DiscoveryState_DISCOVERY_STATE_POISONED
	case len(s.Table) == 0 && (!s.Partial || !s.Synced):
		v.state = adminv1.DiscoveryState_DISCOVERY_STATE_WAITING
	default:
		v.state = adminv1.DiscoveryState_DISCOVERY_STATE_LIVE
		if wrong := j.wrongName(s.Table, s.Partial); wrong != "" {
			v.behindSince = j.verdicts[name].behindSince
			if v.behindSince.IsZero() {
				v.behindSince = now
			}
			v.detail = strings.TrimSuffix("old addresses of "+wrong+"; "+s.Detail, "; ")
			if now.Sub(v.behindSince) > judgeGrace {
				v.state = adminv1.DiscoveryState_DISCOVERY_STATE_STALE
			}
		}
	}
	j.verdicts[name] = v
}

// wrongName is the first name whose addresses differ from etcd's. Names that
// have no address in etcd are passed over: nobody can be sent wrong by them. So
// are names that a partial table does not have: nobody has asked for them.
func (j *judge) wrongName(table map[string][]string, partial bool) string {
	for _, name := range slices.Sorted(maps.Keys(j.truth)) {
		if _, has := table[name]; partial && !has {
			continue
		}
		if want := j.truth[name]; want != "" && joinAddresses(table[name]) != want {
			return name
		}
	}
	return ""
}

// addresses is how many a name has in etcd.
func (j *judge) addresses(name string) int {
	j.mu.Lock()
	defer j.mu.Unlock()
	return len(strings.Fields(j.truth[name]))
}

// seenRevision is the revision at which the judge last saw endpoints change.
func (j *judge) seenRevision() int64 {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.revision
}

// of returns the verdict on a router.
func (j *judge) of(router string) verdict {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.verdicts[router]
}

// addressesIn reads the addresses of an Endpoints record; one that cannot be
// read has none.
func addressesIn(record []byte) []string {
	var endpoints corev1.Endpoints
	if json.Unmarshal(record, &endpoints) != nil {
		return nil
	}
	var addresses []string
	for _, subset := range endpoints.Subsets {
		for _, address := range subset.Addresses {
			for _, port := range subset.Ports {
				addresses = append(addresses, net.JoinHostPort(address.IP, strconv.Itoa(int(port.Port))))
			}
		}
	}
	return addresses
}

func joinAddresses(addresses []string) string {
	return strings.Join(slices.Sorted(slices.Values(addresses)), " ")
}
