package fault

import (
	"context"
	"math"
	"strings"
	"testing"
	"time"
)

// mortal is one instance, to be killed in a way of the test's.
type mortal struct {
	*victims
	server *server
	kill   func()
	gone   bool
}

func (m *mortal) Instances() []string { return []string{"ledger-v1-1-a2"} }

func (m *mortal) InstanceAddress(string) (string, bool) {
	return m.server.listener.Addr().String(), !m.gone
}

func (m *mortal) KillInstance(context.Context, string) error {
	m.gone = true
	m.kill()
	return nil
}

func TestKillIsProvedByItsVictim(t *testing.T) {
	inject := func(limit time.Duration, kill func(*server)) (Proof, error) {
		ctx, cancel := context.WithTimeout(context.Background(), limit)
		defer cancel()
		s := startServer(t)
		injected, err := NewInjector(&mortal{server: s, kill: func() { kill(s) }}).Inject(ctx, "instance-kill", "*", nil)
		return injected.Proof, err
	}
	proof, err := inject(testLimit, (*server).stop)
	if err != nil || proof.Count != 1 || !strings.Contains(proof.Evidence, "is refused") {
		t.Errorf("killed: %+v, %v", proof, err)
	}
	// Somebody else serves at the address at once.
	proof, err = inject(testLimit, func(s *server) {
		if err := s.restart(); err != nil {
			t.Error(err)
		}
	})
	if err != nil || proof.Count != 1 || !strings.Contains(proof.Evidence, "outlives") {
		t.Errorf("replaced: %+v, %v", proof, err)
	}
	// The platform has forgotten an instance that lives.
	if proof, err := inject(100*time.Millisecond, func(*server) {}); err == nil {
		t.Errorf("forgotten: proved by %+v", proof)
	}
}

func TestOnlyWhatAnswersCanBeKilled(t *testing.T) {
	mute := listen(t)
	defer mute.Close()
	ctx, cancel := context.WithTimeout(context.Background(), 100*time.Millisecond)
	defer cancel()
	m := &mortal{server: &server{listener: mute}, kill: func() { t.Error("killed") }}
	if _, err := NewInjector(m).Inject(ctx, "instance-kill", "*", nil); err == nil {
		t.Error("an instance that answers nothing was killed")
	}
	mute.Close()
	if _, err := NewInjector(m).Inject(context.Background(), "instance-kill", "*", nil); err == nil {
		t.Error("an instance that is down was killed")
	}
}

// node is a machine whose router runs or does not.
type node struct {
	*victims
	runs        bool
	incarnation int64
	restart     func(*node)
}

func (n *node) Routers() []string              { return []string{"a2"} }
func (n *node) RouterRuns(string) bool         { return n.runs }
func (n *node) RouterIncarnation(string) int64 { return n.incarnation }
func (n *node) RestartRouter(context.Context, string) error {
	n.restart(n)
	return nil
}

func TestRouterRestartIsProvedByADeathOrABirth(t *testing.T) {
	die := func(n *node) { n.runs = false; n.incarnation++ }
	nothing := func(*node) {}
	start := func(n *node) { n.runs = true }
	takeOver := func(n *node) { n.incarnation++ }
	for _, c := range []struct {
		name           string
		runs           bool
		restart, later func(*node)
		atOnce, atLast int64
	}{
		{"dies and stays down", true, die, nothing, 1, 1},
		{"dies and returns", true, die, start, 1, 1},
		{"is taken over from, later", true, nothing, takeOver, 0, 1},
		{"stays as it was", true, nothing, nothing, 0, 0},
		{"was down and stays down", false, nothing, nothing, 0, 0},
		{"was down and comes up", false, nothing, start, 0, 1},
		{"came up and was hit", false, die, nothing, 1, 1},
	} {
		n := &node{runs: c.runs, incarnation: 1, restart: c.restart}
		i := NewInjector(n)
		injected, err := i.Inject(context.Background(), "router-restart", "a2", nil)
		if err != nil {
			t.Fatal(err)
		}
		c.later(n)
		last := i.List()[0].Proof
		if injected.Proof.Count != c.atOnce || last.Count != c.atLast {
			t.Errorf("%s: proof %d at once, %d at last, want %d and %d (%s)",
				c.name, injected.Proof.Count, last.Count, c.atOnce, c.atLast, last.Evidence)
		}
	}
}

// late is a platform whose API servers have got no further than a revision.
type late struct {
	*victims
	revision int64
}

func (l *late) APIServerRevision(string, string) int64 { return l.revision }

func TestBrokenRecordIsProvedByWhoReadIt(t *testing.T) {
	t.Parallel()
	v := &late{victims: newVictims(t)}
	ctx, cancel := context.WithTimeout(context.Background(), testLimit)
	defer cancel()
	i := NewInjector(v)
	injected, err := i.Inject(ctx, "endpoints-null", "ledger", nil)
	if err != nil {
		t.Fatal(err)
	}
	if injected.Proof.Count != 0 {
		t.Errorf("no API server has it, and the proof is %+v", injected.Proof)
	}
	v.revision = math.MaxInt64
	if proof := i.List()[0].Proof; proof.Count != int64(len(v.APIServers())) {
		t.Errorf("all API servers have it, and the proof is %+v", proof)
	}
	v.revision = 0
	cleared, err := i.Clear(ctx, "endpoints-null", "ledger")
	if err != nil || cleared.Proof.Count != 0 {
		t.Errorf("cleared before any API server had it: %+v, %v", cleared.Proof, err)
	}
	v.revision += 2
	if proof := i.List()[0].Proof; proof.Count != 0 {
		t.Errorf("the proof grew after the end: %+v", proof)
	}
}

// A scenario's step names a fault and a target, and no parameters.
func TestLatencyNeedsNoParameters(t *testing.T) {
	l := newLink(t)
	conn := l.dial()
	i := NewInjector(&victims{links: map[string]*Relay{"a/b/c": l.Relay}})
	if _, err := i.Inject(context.Background(), "link-latency", "a/b/c", nil); err != nil {
		t.Fatal(err)
	}
	began := time.Now()
	if err := echoes(conn, "tick"); err != nil {
		t.Fatal(err)
	}
	if took := time.Since(began); took < 2*latencyMsDefault*time.Millisecond {
		t.Errorf("a round trip took %v", took)
	}
}
