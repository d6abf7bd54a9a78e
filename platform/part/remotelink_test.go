package part

import (
	"context"
	"io"
	"net"
	"slices"
	"strings"
	"sync"
	"testing"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"breakbank/platform/fault"
	"breakbank/platform/fault/linktest"
	"breakbank/platform/process"
	adminv1 "breakbank/proto/admin/v1"
)

func TestRemoteLinkIsALink(t *testing.T) {
	t.Parallel()
	linktest.Run(t, func(t *testing.T, target func() string) linktest.Subject {
		relay := relayTo(t, "apiserver-a/etcd/endpoints", target)
		h := newHost(t, Offers{Name: "apiserver-a", Role: "apiserver", Links: map[string]fault.Link{relay.Name(): relay}})
		c := h.dialed()
		return linktest.Subject{Link: c.Links()[relay.Name()], Address: relay.Addr()}
	})
}

// dark is a hole in a part's link that has swallowed something.
func dark(t *testing.T, c *Client, relay *fault.Relay) fault.Hole {
	t.Helper()
	conn, err := net.Dial("tcp4", relay.Addr())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	await(t, c, "the connection", func() bool { return c.Links()[relay.Name()].Connections() == 1 })
	hole, err := c.Links()[relay.Name()].Blackhole(testContext(t))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := io.WriteString(conn, "void"); err != nil {
		t.Fatal(err)
	}
	await(t, c, "the proof", func() bool { return hole.Swallowed() == int64(len("void")) })
	return hole
}

func remark(t *testing.T, hole fault.Hole) string {
	t.Helper()
	r, ok := hole.(fault.Remarker)
	if !ok {
		t.Fatal("nothing can be remarked of it")
	}
	return r.Remark()
}

func proofStays(t *testing.T, hole fault.Hole) {
	t.Helper()
	if hole.Swallowed() != int64(len("void")) || hole.Connections() != 1 || hole.Established() != 1 {
		t.Errorf("%d bytes swallowed on %d connections, %d of them ESTABLISHED", hole.Swallowed(), hole.Connections(), hole.Established())
	}
}

// The proof of darkness outlives the process in which it was, and there is
// nothing to clear then.
func TestProofOutlivesTheProcess(t *testing.T) {
	t.Parallel()
	for _, comesBack := range []bool{false, true} {
		h, relay := newAPIServerHost(t)
		c := h.dialed()
		hole := dark(t, c, relay)
		if r := remark(t, hole); r != "" {
			t.Errorf("of a process that lives: %q", r)
		}
		h.kill()
		if comesBack {
			h.start()
			await(t, c, "the next process", func() bool { return c.Reachable() && c.Incarnation() == 2 })
		} else {
			await(t, c, "the end", func() bool { return remark(t, hole) != "" && c.view.Load().ended })
		}
		proofStays(t, hole)
		if r := remark(t, hole); !strings.Contains(r, "apiserver-a has ended") {
			t.Errorf("comes back %v: %q", comesBack, r)
		}
		if err := hole.Clear(testContext(t)); err != nil {
			t.Errorf("comes back %v: %v", comesBack, err)
		}
		proofStays(t, hole)
		if n, err := c.Links()[relay.Name()].Reset(testContext(t)); comesBack && (n != 1 || err != nil) {
			// Here the relay has outlived its process.
			t.Errorf("%d connections, %v", n, err)
		}
	}
}

// A control process that is killed cannot mend what it broke, and the next one
// does not know of it: it would be dark for ever.
func TestWhatAnEarlierClientBrokeIsMended(t *testing.T) {
	t.Parallel()
	h, relay := newAPIServerHost(t)
	earlier := h.dialed()
	dark(t, earlier, relay)
	earlier.Close()
	next := h.dialed()
	await(t, next, "the link is whole", func() bool {
		return next.Reachable() && len(h.server.breaks.states()[0].GetBreaks()) == 0
	})
	// What it breaks itself stays broken.
	hole, err := next.Links()[relay.Name()].Blackhole(testContext(t))
	if err != nil {
		t.Fatal(err)
	}
	for range 3 {
		changed := next.Changed()
		select {
		case <-changed:
		case <-testContext(t).Done():
			t.Fatal("nothing is heard")
		}
	}
	if states := h.server.breaks.states(); len(states[0].GetBreaks()) != 1 {
		t.Errorf("links %v", states)
	}
	if err := hole.Clear(testContext(t)); err != nil {
		t.Error(err)
	}
}

// What stands still when it is first met was stopped by a client that is gone;
// what stops later was not.
func TestWhatAnEarlierClientStoppedGoesOn(t *testing.T) {
	t.Parallel()
	machine := newFakeNode()
	machine.instances[0].State = process.Stopped
	h := newHost(t, Offers{Name: "a1", Role: "node", Node: machine})
	c := h.dialed()
	told := func() []string {
		machine.mu.Lock()
		defer machine.mu.Unlock()
		return slices.Clone(machine.signals)
	}
	await(t, c, "the instance is let go on", func() bool { return slices.Equal(told(), []string{"ledger-1 continue"}) })
	h.kill()
	h.start()
	await(t, c, "the next process", func() bool { return c.Reachable() && c.Incarnation() == 2 })
	c.Close()
	if got := told(); len(got) != 1 {
		t.Errorf("signals %v", got)
	}
}

// Nobody knows what became of a part that is silent: what was broken there can
// be cleared when it is heard again.
func TestSilentPartCannotBeMended(t *testing.T) {
	t.Parallel()
	h, relay := newAPIServerHost(t)
	management := relayTo(t, "management", func() string { return h.address })
	c := dial(t, "apiserver-a", "apiserver", management.Addr())
	await(t, c, "the part", c.Reachable)
	hole := dark(t, c, relay)
	if _, err := management.Blackhole(testContext(t)); err != nil {
		t.Fatal(err)
	}
	slow, err := management.Latency(testContext(t), 2*testLimit, 0, 1)
	if err != nil {
		t.Fatal(err)
	}
	await(t, c, "the silence", func() bool { return !c.Reachable() })
	if err := hole.Clear(testContext(t)); status.Code(err) != codes.Unavailable {
		t.Errorf("cleared in silence: %v", err)
	}
	if r := remark(t, hole); !strings.Contains(r, unreachable) {
		t.Errorf("%q", r)
	}
	proofStays(t, hole)
	if err := slow.Clear(testContext(t)); err != nil {
		t.Fatal(err)
	}
	await(t, c, "the part's return", c.Reachable)
	if err := hole.Clear(testContext(t)); err != nil {
		t.Error(err)
	}
	proofStays(t, hole)
	if r := remark(t, hole); r != "" {
		t.Errorf("of what is cleared: %q", r)
	}
}

// A state that the answer to Clear has overtaken takes nothing back.
func TestCountersOnlyGrow(t *testing.T) {
	b := &remoteBreak{}
	b.count(&adminv1.BreakState{Swallowed: 9, Established: 2, Chunks: 5, HeldNs: 7})
	b.count(&adminv1.BreakState{Swallowed: 8, Established: 1, Chunks: 4, HeldNs: 6})
	if b.Swallowed() != 9 || b.Established() != 2 || b.Chunks() != 5 || b.Held() != 7 {
		t.Errorf("%+v", b.counted())
	}
}

// slowLink is a link at which a hole takes as long to begin as the test wants.
type slowLink struct {
	fault.Link
	asked func() // called when a hole is asked for
	begin chan struct{}

	mu       sync.Mutex
	lasting  int
	begun    bool
	released chan struct{} // closed when the hole is cleared
}

func (l *slowLink) Name() string     { return "slow" }
func (l *slowLink) Connections() int { return 0 }
func (l *slowLink) Blackhole(context.Context) (fault.Hole, error) {
	l.asked()
	<-l.begin
	l.mu.Lock()
	defer l.mu.Unlock()
	l.begun = true
	l.lasting++
	return slowHole{l}, nil
}

type slowHole struct{ link *slowLink }

func (h slowHole) Clear(context.Context) error {
	h.link.mu.Lock()
	defer h.link.mu.Unlock()
	h.link.lasting--
	close(h.link.released)
	return nil
}
func (slowHole) Swallowed() int64   { return 0 }
func (slowHole) Connections() int   { return 1 }
func (slowHole) Established() int64 { return 0 }

// A fault that was not seen to begin is undone, should it have begun.
func TestBreakWhoseAnswerIsLostIsMended(t *testing.T) {
	t.Parallel()
	// Its caller leaves once it is asked: before, there would be nothing to undo.
	impatient, cancel := context.WithCancel(testContext(t))
	defer cancel()
	link := &slowLink{asked: cancel, begin: make(chan struct{}), released: make(chan struct{})}
	h := newHost(t, Offers{Name: "apiserver-a", Role: "apiserver", Links: map[string]fault.Link{"slow": link}})
	c := h.dialed()
	if _, err := c.Links()["slow"].Blackhole(impatient); status.Code(err) != codes.Canceled {
		t.Fatalf("%v", err)
	}
	close(link.begin)
	select {
	case <-link.released:
	case <-testContext(t).Done():
		t.Fatal("it lasts")
	}
	await(t, c, "the end of the debt", func() bool {
		c.breaks.mu.Lock()
		defer c.breaks.mu.Unlock()
		return len(c.breaks.owed) == 0
	})
	if !link.begun || link.lasting != 0 || len(c.breaks.lasts) != 0 {
		t.Errorf("begun %v, %d last, %d known", link.begun, link.lasting, len(c.breaks.lasts))
	}
}
