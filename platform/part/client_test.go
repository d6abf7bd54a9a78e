package part

import (
	"context"
	"net"
	"os"
	"reflect"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"breakbank/platform/node"
	"breakbank/platform/telemetry"
	adminv1 "breakbank/proto/admin/v1"
)

func TestClientSeesWhatThePartIs(t *testing.T) {
	t.Parallel()
	ctx := testContext(t)
	machine, member := newFakeNode(), &fakeMember{}
	h := newHost(t, Offers{
		Name: "a1", Role: "node", Generation: "g7", Unready: func() string { return "it has no table" },
		Node: machine, Member: member, APIServer: fakeAPIServer{},
		SearchLogs: func(part, text string) *adminv1.SearchLogsResponse {
			return &adminv1.SearchLogsResponse{Found: 3, First: part + text}
		},
	})
	c := h.dialed()
	if c.Name() != "a1" || c.PID() != 1 || c.StartedAt().Unix() != 1 || c.Incarnation() != 1 || c.Generation() != "g7" || c.Unready() != "it has no table" {
		t.Errorf("%s: %d of %v, incarnation %d, generation %s, %s", c.Name(), c.PID(), c.StartedAt(), c.Incarnation(), c.Generation(), c.Unready())
	}
	if got, want := c.Node().Instances(), machine.Instances(); !reflect.DeepEqual(got, want) {
		t.Errorf("instances %+v\nwant %+v", got, want)
	}
	if got, want := c.Node().RouterStatus(), machine.RouterStatus(); !reflect.DeepEqual(got, want) {
		t.Errorf("router %+v\nwant %+v", got, want)
	}
	if a := c.APIServer(); !a.Ready("endpoints") || a.Ready("pods") || a.CacheRevision("endpoints") != 42 {
		t.Error("the API server is another one")
	}
	found, err := c.SearchLogs(ctx, "router-", "panic")
	if err != nil || found.GetFound() != 3 || found.GetFirst() != "router-panic" {
		t.Errorf("%v, %v", found, err)
	}
	// The table stays while other things change.
	machine.set(func(s *node.RouterStatus) { s.Revision = 10 })
	await(t, c, "the revision", func() bool { return c.Node().RouterStatus().Revision == 10 })
	if table := c.Node().RouterStatus().Table; len(table["ledger"]) != 1 {
		t.Errorf("the table is %v", table)
	}
}

// What was done is seen when the call returns.
func TestWhatIsDoneIsSeen(t *testing.T) {
	t.Parallel()
	ctx := testContext(t)
	machine, member := newFakeNode(), &fakeMember{}
	c := newHost(t, Offers{Name: "a1", Role: "node", Node: machine, Member: member}).dialed()
	for n := range 20 {
		if err := c.Node().RestartRouter(ctx); err != nil {
			t.Fatal(err)
		}
		if got := c.Node().RouterStatus().Incarnation; got != int64(n)+2 {
			t.Fatalf("after %d restarts: incarnation %d", n+1, got)
		}
		if err := c.Member().Start(ctx, "a=http://x", "join"); err != nil || !c.Member().Running() {
			t.Fatalf("started: %v, runs: %v", err, c.Member().Running())
		}
		if err := c.Member().Stop(ctx); err != nil || c.Member().Running() {
			t.Fatalf("stopped: %v, runs: %v", err, c.Member().Running())
		}
	}
	if member.with != "a=http://x join" {
		t.Errorf("started with %q", member.with)
	}
	for _, s := range []node.Signal{node.SignalKill, node.SignalStop, node.SignalContinue} {
		if err := c.Node().SignalInstance("ledger-1", s); err != nil {
			t.Error(err)
		}
	}
	if err := c.Node().SignalInstance("ledger-1", 0); err == nil {
		t.Error("no signal was sent")
	}
	if want := []string{"ledger-1 kill", "ledger-1 stop", "ledger-1 continue"}; !reflect.DeepEqual(machine.signals, want) {
		t.Errorf("signals %v", machine.signals)
	}
}

func TestClientMeetsEachProcess(t *testing.T) {
	t.Parallel()
	machine := newFakeNode()
	h := newHost(t, Offers{Name: "a1", Role: "node", Node: machine})
	c := h.dialed()
	h.kill()
	await(t, c, "the end", func() bool { return !c.Reachable() })
	if c.Unready() != unreachable || c.Incarnation() != 1 || c.PID() != 1 {
		t.Errorf("%s, incarnation %d, process %d", c.Unready(), c.Incarnation(), c.PID())
	}
	if s := c.Node().RouterStatus(); s.Running || s.Detail != unreachable || s.Incarnation != 1 {
		t.Errorf("the router of a dead node: %+v", s)
	}
	if i := c.Node().Instances(); len(i) != 2 || i[0].Ready {
		t.Errorf("the instances of a dead node: %+v", i)
	}
	if err := c.Node().RestartRouter(testContext(t)); status.Code(err) != codes.Unavailable || !strings.Contains(err.Error(), "a1: unreachable: ") {
		t.Errorf("%v", err)
	}
	for n := range int64(3) {
		h.start()
		await(t, c, "the next process", func() bool { return c.Reachable() && c.Incarnation() == n+2 })
		if started := c.StartedAt().Unix(); started != n+2 {
			t.Errorf("process %d started at %d", n+2, started)
		}
		// Each has a router whose own count begins anew.
		if s := c.Node().RouterStatus(); !s.Running || s.Incarnation != n+2 || len(s.Table) != 1 {
			t.Errorf("process %d has router %+v", n+2, s)
		}
		h.kill()
		await(t, c, "the end", func() bool { return !c.Reachable() })
	}
}

// A process that stands still, or a network that is cut: nothing is closed.
func TestSilentPartIsUnreachable(t *testing.T) {
	t.Parallel()
	h := newHost(t, Offers{Name: "a1", Role: "node", Node: newFakeNode()})
	relay := relayTo(t, "management", func() string { return h.address })
	c := dial(t, "a1", "node", relay.Addr())
	await(t, c, "the part", c.Reachable)
	hole, err := relay.Blackhole(testContext(t))
	if err != nil {
		t.Fatal(err)
	}
	slow, err := relay.Latency(testContext(t), 2*testLimit, 0, 1) // new connections as well
	if err != nil {
		t.Fatal(err)
	}
	began := time.Now()
	await(t, c, "the silence", func() bool { return !c.Reachable() })
	if took := time.Since(began); took > silenceLimit+2*time.Second {
		t.Errorf("noticed after %v", took)
	}
	if s := c.Node().RouterStatus(); s.Running {
		t.Error("its router runs")
	}
	if err := slow.Clear(testContext(t)); err != nil {
		t.Fatal(err)
	}
	await(t, c, "the part's return", c.Reachable)
	if c.Incarnation() != 1 {
		t.Errorf("one process counts as %d", c.Incarnation())
	}
	if err := hole.Clear(testContext(t)); err != nil {
		t.Fatal(err)
	}
}

// Calls do not hang in a connection that has gone silent.
func TestCallsEndInSilence(t *testing.T) {
	t.Parallel()
	h := newHost(t, Offers{Name: "a1", Role: "node", Node: newFakeNode()})
	relay := relayTo(t, "management", func() string { return h.address })
	c := dial(t, "a1", "node", relay.Addr())
	await(t, c, "the part", c.Reachable)
	if _, err := relay.Blackhole(testContext(t)); err != nil {
		t.Fatal(err)
	}
	began := time.Now()
	if err := c.Node().RestartRouter(testContext(t)); status.Code(err) != codes.Unavailable {
		t.Errorf("%v", err)
	}
	if took := time.Since(began); took > callLimit {
		t.Errorf("it took %v", took)
	}
}

func TestEndIsAnsweredBeforeTheProcessDies(t *testing.T) {
	t.Parallel()
	var asked *adminv1.EndPartRequest
	died := make(chan struct{})
	offers := Offers{
		Name: "apiserver-a", Role: "apiserver",
		End: func(req *adminv1.EndPartRequest) error { asked = req; return nil },
		Die: func() { close(died) },
	}
	h := newHost(t, offers)
	c := h.dialed()
	if err := c.End(testContext(t), &adminv1.EndPartRequest{Generation: "g2", Wipe: true}); err != nil {
		t.Fatal(err)
	}
	if asked.GetGeneration() != "g2" || !asked.GetWipe() {
		t.Errorf("prepared as %v", asked)
	}
	<-died
	h.kill()
	h.offers.Generation = "g2"
	h.start()
	await(t, c, "the next process", func() bool { return c.Reachable() && c.Incarnation() == 2 })
	if c.Generation() != "g2" {
		t.Errorf("generation %q", c.Generation())
	}
}

// What cannot be prepared does not end the process.
func TestEndThatIsRefused(t *testing.T) {
	t.Parallel()
	offers := Offers{
		Name: "apiserver-a", Role: "apiserver",
		End: func(*adminv1.EndPartRequest) error { return context.DeadlineExceeded },
		Die: func() { t.Error("it died") },
	}
	h := newHost(t, offers)
	if err := h.dialed().End(testContext(t), &adminv1.EndPartRequest{}); status.Code(err) != codes.FailedPrecondition {
		t.Errorf("%v", err)
	}
	if h.server.death != nil {
		t.Error("it is about to die")
	}
}

func TestAnotherPartIsNotBelieved(t *testing.T) {
	t.Parallel()
	h := newHost(t, Offers{Name: "a2", Role: "node", Node: newFakeNode()})
	c := dial(t, "a1", "node", h.address)
	await(t, c, "the refusal", func() bool { return strings.Contains(c.view.Load().lost, "a2") })
	if c.Reachable() || c.Incarnation() != 0 {
		t.Error("another part is taken for it")
	}
}

func TestTokenGoesWithEveryCall(t *testing.T) {
	t.Parallel()
	token := strings.Repeat("t", 32)
	h := &host{t: t, offers: Offers{Name: "a1", Role: "node", Node: newFakeNode()}, token: token}
	h.start()
	t.Cleanup(h.kill)
	with := func(token string) *Client {
		c := Dial(DialConfig{Name: "a1", Role: "node", Address: h.address, Credentials: telemetry.NewClientCredentials(token)})
		t.Cleanup(c.Close)
		return c
	}
	right, wrong := with(token), with(strings.Repeat("w", 32))
	await(t, right, "the part", right.Reachable)
	if err := right.Node().RestartRouter(testContext(t)); err != nil {
		t.Error(err)
	}
	await(t, wrong, "the refusal", func() bool { return strings.Contains(wrong.view.Load().lost, "token") })
	if wrong.Reachable() || strings.Contains(wrong.view.Load().lost, "www") {
		t.Errorf("with a wrong token: %q", wrong.view.Load().lost)
	}
}

// A part that never was costs a caller no longer than its patience.
func TestPartThatNeverWas(t *testing.T) {
	t.Parallel()
	l, err := testPorts.Listen()
	if err != nil {
		t.Fatal(err)
	}
	l.Close()
	c := dial(t, "a1", "node", l.Addr().String())
	// Before the first attempt has failed, nobody can say why.
	await(t, c, "the refusal", func() bool { return strings.Contains(c.view.Load().lost, "refused") })
	ctx, cancel := context.WithTimeout(testContext(t), 200*time.Millisecond)
	defer cancel()
	if err := c.Member().Stop(ctx); status.Code(err) != codes.Unavailable || !strings.Contains(err.Error(), "refused") {
		t.Errorf("%v", err)
	}
	if c.Incarnation() != 0 || c.PID() != 0 || !c.StartedAt().IsZero() || c.Unready() != unreachable || len(c.Links()) != 0 {
		t.Error("something is known of it")
	}
	if s := c.Node().RouterStatus(); s.Incarnation != 0 || s.Running {
		t.Errorf("router %+v", s)
	}
}

// That nobody listens shows that a process is gone; a name that is not found
// shows it of one that has broken the connection, as a dying process does.
func TestWhatShowsThatAProcessIsGone(t *testing.T) {
	refused := &net.OpError{Op: "dial", Err: os.NewSyscallError("connect", syscall.ECONNREFUSED)}
	notFound := &net.OpError{Op: "dial", Err: &net.DNSError{Name: "apiserver-a", IsNotFound: true}}
	noRoute := &net.OpError{Op: "dial", Err: os.NewSyscallError("connect", syscall.EHOSTUNREACH)}
	for _, c := range []struct {
		err     error
		severed bool
		want    bool
	}{
		{refused, false, true}, {notFound, false, false}, {notFound, true, true}, {noRoute, true, false}, {nil, true, false},
	} {
		d := &dialing{}
		if c.err != nil {
			d.refused.Store(&c.err)
		}
		if d.nobodyThere(c.severed) != c.want {
			t.Errorf("%v, severed before %v: %v", c.err, c.severed, !c.want)
		}
	}
}

// It keeps all cores busy: not beside tests that look at how long things take.
func TestConcurrentUse(t *testing.T) {
	machine := newFakeNode()
	h := newHost(t, Offers{Name: "a1", Role: "node", Node: machine, Member: &fakeMember{}, APIServer: fakeAPIServer{}})
	c := h.dialed()
	ctx, cancel := context.WithCancel(testContext(t))
	var using sync.WaitGroup
	for range 4 {
		using.Go(func() {
			for n := 0; ctx.Err() == nil; n++ {
				_, _, _, _, _, _ = c.Reachable(), c.PID(), c.StartedAt(), c.Incarnation(), c.Generation(), c.Unready()
				_, _, _, _ = c.Node().Instances(), c.Node().RouterStatus(), c.APIServer().Ready("endpoints"), c.Links()
				if n%100 == 0 {
					_ = c.Node().RestartRouter(ctx) // It is killed again and again.
				}
				machine.set(func(s *node.RouterStatus) { s.Requests++ })
			}
		})
	}
	for n := range int64(5) {
		h.kill()
		h.start()
		await(t, c, "the next process", func() bool { return c.Reachable() && c.Incarnation() == n+2 })
	}
	c.Close()
	cancel()
	using.Wait()
	if c.Reachable() {
		t.Error("a closed client sees its part")
	}
	if err := c.Node().RestartRouter(testContext(t)); err == nil {
		t.Error("a closed client calls its part")
	}
}
