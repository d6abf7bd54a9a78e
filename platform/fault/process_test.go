package fault

import (
	"context"
	"errors"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"breakbank/platform/process"
)

// processBed is an injector on real processes.
type processBed struct {
	*Injector
	supervised
	t   *testing.T
	ctx context.Context
}

func newProcessBed(t *testing.T, names ...string) processBed {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 2*testLimit)
	t.Cleanup(cancel)
	s := startProcesses(t, names...)
	return processBed{NewInjector(&victims{supervised: s}), s, t, ctx}
}

func (b processBed) inject(name, target string) Injected {
	b.t.Helper()
	injected, err := b.Inject(b.ctx, name, target, nil)
	if err != nil {
		b.t.Fatal(err)
	}
	return injected
}

func (b processBed) clear(name string) Injected {
	b.t.Helper()
	cleared, err := b.Clear(b.ctx, name, "")
	if err != nil {
		b.t.Fatal(err)
	}
	return cleared
}

func (b processBed) state(name string) ProcessState {
	b.t.Helper()
	s, err := b.ProcessState(b.ctx, name)
	if err != nil {
		b.t.Fatal(err)
	}
	return s
}

func (b processBed) latest() Proof {
	all := b.List()
	return all[len(all)-1].Proof
}

func TestAKillIsProvedByTheEndOfTheProcess(t *testing.T) {
	t.Parallel()
	b := newProcessBed(t, "etcd-a1", "etcd-b1")
	before := b.state("etcd-a1")
	injected := b.inject("process-kill", "etcd-a1")
	if s, err := process.Look(before.PID); err != nil || s.State != process.Gone {
		t.Errorf("killed, and it is %s, %v", s.State, err)
	}
	if injected.Proof.Count != 1 || !strings.Contains(injected.Proof.Evidence, before.String()+", which is gone") {
		t.Errorf("the proof is %+v", injected.Proof)
	}
	await(t, "a successor", func() bool {
		now := b.state("etcd-a1")
		return now.State == process.Running && strings.Contains(b.latest().Evidence, now.String()+" is in its place")
	})
	cleared := b.clear("process-kill")
	if cleared.Proof.Count != 1 || strings.Contains(cleared.Proof.Evidence, "etcd-b1") {
		t.Errorf("the proof is %+v", cleared.Proof)
	}
	// Several count each, and what stands still dies as well.
	b.inject("process-pause", "etcd-b1")
	if all := b.inject("process-kill", "etcd-*"); all.Proof.Count != 2 {
		t.Errorf("the proof is %+v", all.Proof)
	}
}

func TestAPauseIsProvedForAsLongAsItHolds(t *testing.T) {
	t.Parallel()
	b := newProcessBed(t, "etcd-a1")
	before := b.state("etcd-a1")
	injected := b.inject("process-pause", "etcd-a1")
	if s, err := process.Look(before.PID); err != nil || s.State != process.Stopped {
		t.Errorf("paused, and it is %s, %v", s.State, err)
	}
	if injected.Proof.Count != 1 || !strings.Contains(injected.Proof.Evidence, before.String()) {
		t.Errorf("the proof is %+v", injected.Proof)
	}
	await(t, "more looks", func() bool { return b.latest().Count >= 3 })
	cleared := b.clear("process-pause")
	if s, err := process.Look(before.PID); err != nil || s.State != process.Running {
		t.Errorf("cleared, and it is %s, %v", s.State, err)
	}
	if cleared.Proof.Count < 3 || !strings.HasSuffix(cleared.Proof.Evidence, "; then it went on") {
		t.Errorf("the proof is %+v", cleared.Proof)
	}
	b.inject("process-pause", "etcd-a1") // As often as one likes.
	b.clear("process-pause")
}

func TestAPauseThatDoesNotHoldIsNotProved(t *testing.T) {
	t.Parallel()
	b := newProcessBed(t, "etcd-a1")
	b.inject("process-pause", "etcd-a1")
	if err := syscall.Kill(b.state("etcd-a1").PID, syscall.SIGCONT); err != nil {
		t.Fatal(err)
	}
	await(t, "a look", func() bool { return b.latest().Count == 0 })
	if cleared := b.clear("process-pause"); cleared.Proof.Count != 0 || !strings.Contains(cleared.Proof.Evidence, "went on before") {
		t.Errorf("the proof is %+v", cleared.Proof)
	}
}

func TestWhatEndsWhilePausedNeedsNoClearing(t *testing.T) {
	t.Parallel()
	b := newProcessBed(t, "etcd-a1")
	before := b.state("etcd-a1")
	b.inject("process-pause", "etcd-a1")
	if err := syscall.Kill(before.PID, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	await(t, "a look", func() bool { return strings.HasSuffix(b.latest().Evidence, "; then it ended") })
	cleared := b.clear("process-pause")
	if cleared.Proof.Count == 0 || !strings.Contains(cleared.Proof.Evidence, strconv.Itoa(before.PID)) {
		t.Errorf("the proof is %+v", cleared.Proof)
	}
	if err := processesRun(b.ctx, b.supervised); err != nil {
		t.Error(err)
	}
	// What is down for good is no obstacle either.
	b.inject("process-pause", "etcd-a1")
	if err := b.StopPart(b.ctx, "etcd-a1"); err != nil {
		t.Fatal(err)
	}
	b.clear("process-pause")
	for _, name := range []string{"process-kill", "process-pause"} {
		if _, err := b.Inject(b.ctx, name, "etcd-a1", nil); err == nil || !strings.Contains(err.Error(), "does not run") {
			t.Errorf("%s at what is down: %v", name, err)
		}
	}
}

func TestAPauseBeginsEverywhereOrNowhere(t *testing.T) {
	t.Parallel()
	b := newProcessBed(t, "etcd-a1", "etcd-b1")
	b.inject("process-pause", "etcd-b1")
	_, err := b.Inject(b.ctx, "process-pause", "etcd-*", nil)
	if err == nil || !strings.Contains(err.Error(), "stands still already") {
		t.Errorf("injected twice: %v", err)
	}
	if a, other := b.state("etcd-a1").State, b.state("etcd-b1").State; a != process.Running || other != process.Stopped {
		t.Errorf("they are %s and %s", a, other)
	}
	b.clear("process-pause")
	if err := processesRun(b.ctx, b.supervised); err != nil {
		t.Error(err)
	}
}

func TestProcessesAreNamed(t *testing.T) {
	t.Parallel()
	b := newProcessBed(t, "etcd-a1")
	for _, name := range []string{"process-kill", "process-pause"} {
		if _, err := b.Inject(b.ctx, name, "etcd-z9", nil); err == nil || !strings.Contains(err.Error(), "its targets are etcd-a1") {
			t.Errorf("%s: %v", name, err)
		}
		if _, err := b.Inject(b.ctx, name, "etcd-a1", map[string]string{"hard": "1"}); err == nil {
			t.Errorf("%s took a parameter that there is not", name)
		}
		_, err := NewInjector(&victims{}).Inject(b.ctx, name, "etcd-a1", nil)
		if err == nil || !strings.Contains(err.Error(), withoutProcesses) || strings.Contains(err.Error(), "\n") {
			t.Errorf("%s without processes: %v", name, err)
		}
	}
}

// told is one process, of which the platform says what a test has it say.
type told struct {
	*victims
	state  func() (ProcessState, error)
	signal func(Signal) error
}

func (o told) Processes() []string { return []string{"etcd-a1"} }
func (o told) ProcessState(context.Context, string) (ProcessState, error) {
	return o.state()
}
func (o told) SignalProcess(_ context.Context, _ string, s Signal) error { return o.signal(s) }

func TestOnlyTheKernelsWordProvesAKill(t *testing.T) {
	lost := errors.New("unreachable")
	start := time.Unix(1, 0)
	was := ProcessState{PID: 1, StartedAt: start, State: process.Running}
	for _, c := range []struct {
		name   string
		after  ProcessState
		err    error
		proved bool
	}{
		{"it lives", was, nil, false},
		{"it stands still", ProcessState{1, start, process.Stopped}, nil, false},
		{"nobody knows", ProcessState{}, lost, false},
		{"it is gone", ProcessState{1, start, process.Gone}, nil, true},
		{"it is forgotten by its parent", ProcessState{}, ErrNoProcess, true},
		{"another with its number", ProcessState{1, start.Add(time.Second), process.Running}, nil, true},
		{"another", ProcessState{2, start, process.Running}, nil, true},
	} {
		ctx, cancel := context.WithTimeout(context.Background(), 100*time.Millisecond)
		killed := false
		injected, err := NewInjector(told{
			state: func() (ProcessState, error) {
				if killed {
					return c.after, c.err
				}
				return was, nil
			},
			signal: func(Signal) error { killed = true; return nil },
		}).Inject(ctx, "process-kill", "etcd-a1", nil)
		cancel()
		if (err == nil) != c.proved || c.proved && injected.Proof.Count != 1 {
			t.Errorf("%s: %+v, %v", c.name, injected.Proof, err)
		}
		if c.err != nil && !c.proved && !errors.Is(err, lost) {
			t.Errorf("%s: the error is %v", c.name, err)
		}
	}
}

// A pause that cannot be shown is taken back, and one that cannot be asked about
// for a while neither counts nor fails.
func TestAPauseNobodySeesIsTakenBack(t *testing.T) {
	lost := errors.New("unreachable")
	was := ProcessState{PID: 1, State: process.Running}
	var got []Signal
	ctx, cancel := context.WithTimeout(context.Background(), 100*time.Millisecond)
	defer cancel()
	_, err := NewInjector(told{
		state:  func() (ProcessState, error) { return was, nil },
		signal: func(s Signal) error { got = append(got, s); return nil },
	}).Inject(ctx, "process-pause", "etcd-a1", nil)
	if err == nil || len(got) != 2 || got[0] != SignalStop || got[1] != SignalContinue {
		t.Errorf("it got %v: %v", got, err)
	}

	looks := make(chan ProcessState, 8)
	for _, s := range []process.State{process.Running, process.Stopped, process.Gone, process.Stopped} {
		looks <- ProcessState{PID: 1, State: s} // Gone stands for an answer that fails.
	}
	close(looks)
	over := make(chan struct{})
	on := false
	i := NewInjector(told{
		state: func() (ProcessState, error) {
			s, more := <-looks
			switch {
			case !more && on:
				return ProcessState{PID: 1, State: process.Running}, nil
			case !more:
				select {
				case <-over:
				default:
					close(over)
				}
				return ProcessState{PID: 1, State: process.Stopped}, nil
			case s.State == process.Gone:
				return ProcessState{}, lost
			}
			return s, nil
		},
		signal: func(s Signal) error { on = s == SignalContinue; return nil },
	})
	if _, err := i.Inject(context.Background(), "process-pause", "etcd-a1", nil); err != nil {
		t.Fatal(err)
	}
	<-over
	cleared, err := i.Clear(context.Background(), "process-pause", "")
	if err != nil || cleared.Proof.Count < 2 {
		t.Errorf("%+v, %v", cleared.Proof, err)
	}
}

// tenants are an instance and its node: nobody signals the one while the other
// stands still.
type tenants struct {
	*victims
	mu      *sync.Mutex
	stopped map[string]bool
}

func (n tenants) Processes() []string { return []string{"ledger-v1-1-a2", "a2"} }

func (n tenants) ProcessState(_ context.Context, name string) (ProcessState, error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	switch {
	case name != "a2" && n.stopped["a2"]:
		return ProcessState{}, errors.New("a2 is unreachable")
	case n.stopped[name]:
		return ProcessState{PID: 1, State: process.Stopped}, nil
	}
	return ProcessState{PID: 1, State: process.Running}, nil
}

func (n tenants) SignalProcess(ctx context.Context, name string, s Signal) error {
	if _, err := n.ProcessState(ctx, name); err != nil {
		return err
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	n.stopped[name] = s == SignalStop
	return nil
}

func TestANodeIsPausedLastAndGoesOnFirst(t *testing.T) {
	ctx, cancel := context.WithTimeout(context.Background(), testLimit)
	defer cancel()
	for _, target := range []string{"ledger-*,a2", "a2,ledger-*"} {
		n := tenants{mu: &sync.Mutex{}, stopped: map[string]bool{}}
		i := NewInjector(n)
		if _, err := i.Inject(ctx, "process-pause", target, nil); err != nil {
			t.Fatal(err)
		}
		for _, proof := range i.List() {
			if proof.Proof.Count < 2 {
				t.Errorf("%s: the proof is %+v", target, proof.Proof)
			}
		}
		if _, err := i.Clear(ctx, "process-pause", target); err != nil {
			t.Error(err)
		}
		if n.stopped["a2"] || n.stopped["ledger-v1-1-a2"] {
			t.Errorf("%s: stopped are %v after the end", target, n.stopped)
		}
	}
}
