package replay

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"sync"
	"time"

	"breakbank/bench/machine"
	"breakbank/bench/result"
	"breakbank/loadgen"
	"breakbank/loadgen/evidence"
	"breakbank/loadgen/recording"
	adminv1 "breakbank/proto/admin/v1"
)

// ErrPlatformEnded is why a run stops when its platform ends by itself.
var ErrPlatformEnded = errors.New("the platform ended before the run did; its logs say why")

// play is a run being played. What has no lock belongs to the goroutine of
// Play.
type play struct {
	run      *Run
	platform Platform
	admin    adminv1.AdminServiceClient
	edges    *edges
	clock    *clock
	recorder *recording.Keeper
	states   *stateWatch
	backlogs *backlogWatch
	operator *operator
	telling  *telling

	loadCtx      context.Context
	warmup, full *offering
	fail         context.CancelCauseFunc

	spans       []result.Span
	begun       time.Time // when the step that opened the last of them had completed
	faults      []result.Fault
	failedSteps []string

	mu       sync.Mutex // guards what follows, and the order of news
	phase    string
	timeline []result.Event
	routers  map[int][]result.RouterPoint // by second
}

// Play plays the run on a platform and kills that platform at the end. When ctx
// ends before the run is complete, the audit included, it stops at once and
// returns what was measured, marked partial, without an audit. The error is of
// what kept it from playing or from writing; a result that is INVALID is no
// error.
func (r *Run) Play(ctx context.Context, platform Platform) (*result.Result, error) {
	if err := os.MkdirAll(r.opts.Dir, 0o755); err != nil {
		return nil, fmt.Errorf("making the run's directory: %w", err)
	}
	defer platform.Kill()
	p := &play{
		run: r, platform: platform, admin: adminv1.NewAdminServiceClient(platform.Admin()),
		recorder: recording.NewKeeper(loadgen.Names(r.full.Journeys), r.clients.tries*(len(r.warmup.Arrivals)+len(r.full.Arrivals))),
		routers:  make(map[int][]result.RouterPoint),
	}
	topology, err := p.admin.GetTopology(ctx, &adminv1.GetTopologyRequest{})
	if err != nil {
		return nil, fmt.Errorf("asking the platform for its topology: %w", err)
	}
	if p.edges, err = openEdges(topology); err != nil {
		return nil, err
	}
	defer func() {
		// Closing what nothing depends on any more.
		_ = p.edges.close()
	}()
	if r.opts.Arm.FallbackFromStart() {
		if err := p.edges.switchFallback(ctx, r.opts.Arm.Fallback); err != nil {
			return nil, err
		}
	}
	return p.play(ctx)
}

func (p *play) play(ctx context.Context) (*result.Result, error) {
	self, err := evidence.WatchSelf()
	if err != nil {
		return nil, err
	}
	began, others := machine.Now(), evidence.WatchOthers()
	p.states, p.backlogs = newStateWatch(p.admin), &backlogWatch{ask: p.edges.backlog}
	p.operator = &operator{
		admin: p.admin, edges: p.edges, arm: p.run.opts.Arm,
		fullLoad: p.fullLoad, injected: p.injected, cleared: p.cleared, grown: p.grown,
	}
	p.telling = tell(p.run.opts.Observer)
	defer p.telling.close() // After the results were written, which must not wait for it.

	// runCtx ends when the user stops the run, or when it cannot go on.
	runCtx, fail := context.WithCancelCause(ctx)
	defer fail(nil)
	p.fail = fail
	// The watches and the load outlive the script: the load is stopped, and the
	// routers are watched until the backlogs have drained.
	watchCtx, stopWatches := context.WithCancel(context.WithoutCancel(ctx))
	defer stopWatches()
	p.loadCtx = watchCtx

	p.clock = newClock(p.run.plan, time.Now().Add(connectLead))
	var watches sync.WaitGroup
	watches.Go(func() { p.states.watch(watchCtx) })
	watches.Go(func() { p.tick(watchCtx) })
	watches.Go(func() { p.guard(watchCtx) })
	p.backlogs.start(watchCtx)

	p.warmup = p.begin(p.loadCtx, p.run.warmup, p.clock.zero)
	pause(runCtx, time.Until(p.clock.zero))
	p.script(runCtx)
	m := measured{endS: p.endLoad(runCtx)}
	m.backlog, m.settled = p.backlogs.drain(runCtx)
	p.collectProofs(context.WithoutCancel(ctx))
	stopWatches()
	watches.Wait()
	m.spent, m.spentKnown = others.StopOwn()
	p.platform.Kill()

	m.steal = machine.Now().Minus(began).Steal()
	if m.self, err = self.Stop(); err != nil {
		return nil, err
	}
	p.audit(runCtx, &m)
	if cause := context.Cause(runCtx); !errors.Is(cause, context.Cause(ctx)) {
		m.failed = cause
	}
	res := p.assemble(m)
	return res, p.write(res)
}

// guard stops the run when the platform ends by itself.
func (p *play) guard(ctx context.Context) {
	select {
	case <-ctx.Done():
	case <-p.platform.Done():
		p.fail(ErrPlatformEnded)
	}
}

// proofPatience bounds the last question for the faults' proofs.
const proofPatience = 2 * time.Second

// collectProofs asks for the proofs as they are at the end, and keeps the
// greatest that was ever told.
func (p *play) collectProofs(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, proofPatience)
	defer cancel()
	resp, err := p.admin.ListFaults(ctx, &adminv1.ListFaultsRequest{})
	p.states.mu.Lock()
	defer p.states.mu.Unlock()
	if err == nil {
		p.states.noteFaults(resp.GetInjected())
	}
	for i := range p.faults {
		f := &p.faults[i]
		if best, ok := p.states.proofs[faultID{f.Name, f.Target}]; ok && best.count >= f.Proof {
			f.Proof, f.Evidence = best.count, best.evidence
		}
	}
}

func (p *play) injected(f result.Fault) {
	f.InjectedS = p.clock.seconds(time.Now())
	p.faults = append(p.faults, f)
	p.event(result.Event{Kind: result.EventFault, ID: f.Name, Text: f.Name + " at " + f.Target})
}

func (p *play) cleared(name, target string) {
	at := p.clock.seconds(time.Now())
	i := slices.IndexFunc(p.faults, func(f result.Fault) bool { return f.Name == name && f.Target == target && f.ClearedS == 0 })
	if i >= 0 {
		p.faults[i].ClearedS = at
	}
	p.event(result.Event{Kind: result.EventFault, ID: name, Text: name + " at " + target + " cleared"})
}

func (p *play) grown(members int, added string) {
	p.event(result.Event{Kind: result.EventNote, ID: added, Text: fmt.Sprintf("%s joined, %d members", added, members)})
}
