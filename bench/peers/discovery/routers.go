package discovery

import (
	"context"
	"log/slog"
	"math/rand/v2"
	"strings"
	"sync/atomic"

	"breakbank/platform/router/discovery"
)

// router is a router's discovery with a table behind it, as the data plane's.
type router struct {
	runner   *discovery.Runner
	etcd     *discovery.Etcd
	warnings warnings
	seen     *log
	table    map[string]discovery.Entry // of Apply's goroutine
	has      atomic.Bool
	content  atomic.Bool
}

func startGuarded(b bed) (follower, error) { return startRouter(b, b.options.Policies) }
func startAcceptAll(b bed) (follower, error) {
	return startRouter(b, []string{"accept-all"})
}

func startRouter(b bed, policies []string) (follower, error) {
	parser, err := discovery.ParserByName(b.options.Parser)
	if err != nil {
		return nil, err
	}
	chosen, err := discovery.PoliciesByName(policies)
	if err != nil {
		return nil, err
	}
	r := &router{seen: b.seen, table: map[string]discovery.Entry{}}
	r.etcd = discovery.NewEtcd(func() []string { return b.child.Etcd })
	var sources []discovery.Source
	for _, base := range b.apiServers() {
		sources = append(sources, discovery.NewAPIServer(base))
	}
	r.runner = discovery.StartRunner(discovery.RunnerConfig{
		Core: discovery.Config{
			Parser: parser, Policies: chosen, WatchNull: discovery.DropNull,
			Rand: rand.New(rand.NewPCG(b.options.Seed, uint64(b.number))),
		},
		Sources:     append(sources, r.etcd),
		SnapshotDir: b.dir,
		Apply:       r.apply,
		Log:         slog.New(&r.warnings),
	})
	return r, nil
}

func (r *router) apply(changes []discovery.Publish, state discovery.State) {
	for _, change := range changes {
		if change.Pending {
			clear(r.table)
		}
		for _, e := range change.Entries {
			r.table[e.Service] = e
			r.seen.add(e.Service, e.Revision)
		}
		for _, name := range change.Removed {
			delete(r.table, name)
		}
	}
	if state.Synced {
		r.has.Store(true)
	}
	r.content.Store(strings.HasPrefix(state.Detail, "watching apiserver"))
}

func (r *router) synced() bool  { return r.has.Load() }
func (r *router) settled() bool { return r.content.Load() }
func (r *router) close()        { r.runner.Close() }

func (r *router) extra() extra {
	return extra{conflated: r.runner.Conflated(), warnings: r.warnings.count.Load(), direct: r.etcd.Reads()}
}

// warnings counts what a router would have told its operator.
type warnings struct{ count atomic.Int64 }

func (w *warnings) Enabled(_ context.Context, level slog.Level) bool { return level >= slog.LevelWarn }

func (w *warnings) Handle(context.Context, slog.Record) error {
	w.count.Add(1)
	return nil
}

func (w *warnings) WithAttrs([]slog.Attr) slog.Handler { return w }
func (w *warnings) WithGroup(string) slog.Handler      { return w }
