package part

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"breakbank/platform/fault"
	"breakbank/platform/fault/linktest"
	"breakbank/platform/node"
	adminv1 "breakbank/proto/admin/v1"
)

// newAPIServerHost is a part with a link.
func newAPIServerHost(t *testing.T) (*host, *fault.Relay) {
	t.Helper()
	target := linktest.NewEcho(t)
	relay := relayTo(t, "apiserver-a/etcd/endpoints", func() string { return target })
	return newHost(t, Offers{
		Name: "apiserver-a", Role: "apiserver", APIServer: fakeAPIServer{}, Links: map[string]fault.Link{relay.Name(): relay},
	}), relay
}

// What means nothing is refused in one line, and nothing is done.
func TestMalformedRequestsChangeNothing(t *testing.T) {
	t.Parallel()
	ctx := testContext(t)
	machine, member := newFakeNode(), &fakeMember{}
	target := linktest.NewEcho(t)
	relay := relayTo(t, "a/etcd/endpoints", func() string { return target })
	h := newHost(t, Offers{
		Name: "all", Role: "test", Node: machine, Member: member, Links: map[string]fault.Link{relay.Name(): relay},
		SearchLogs: func(string, string) *adminv1.SearchLogsResponse { return &adminv1.SearchLogsResponse{} },
	})
	calls := h.raw()
	breakLink := func(req *adminv1.BreakLinkRequest) func() error {
		return func() error { _, err := calls.BreakLink(ctx, req); return err }
	}
	mend := func(id string) func() error {
		return func() error { _, err := calls.MendLink(ctx, &adminv1.MendLinkRequest{Id: id}); return err }
	}
	signal := func(instance string, s adminv1.ProcessSignal) func() error {
		return func() error {
			_, err := calls.SignalInstance(ctx, &adminv1.SignalInstanceRequest{Instance: instance, Signal: s})
			return err
		}
	}
	latency := func(delay, jitter time.Duration) func() error {
		return breakLink(&adminv1.BreakLinkRequest{Link: relay.Name(), Latency: &adminv1.LinkLatency{DelayNs: int64(delay), JitterNs: int64(jitter)}})
	}
	kill := adminv1.ProcessSignal_PROCESS_SIGNAL_KILL
	for _, c := range []struct {
		name string
		ask  func() error
		want codes.Code
	}{
		{"no way to break", breakLink(&adminv1.BreakLinkRequest{Link: relay.Name()}), codes.InvalidArgument},
		{"two ways to break", breakLink(&adminv1.BreakLinkRequest{Link: relay.Name(), Blackhole: true, ResetConnections: true}), codes.InvalidArgument},
		{"two ways, one of them latency", breakLink(&adminv1.BreakLinkRequest{Link: relay.Name(), Blackhole: true, Latency: &adminv1.LinkLatency{}}), codes.InvalidArgument},
		{"unknown link", breakLink(&adminv1.BreakLinkRequest{Link: "b\nc", Blackhole: true}), codes.NotFound},
		{"negative latency", latency(-1, 0), codes.InvalidArgument},
		{"negative jitter", latency(0, -1), codes.InvalidArgument},
		{"latency without end", latency(fault.LatencyMax+1, 0), codes.InvalidArgument},
		{"long id", breakLink(&adminv1.BreakLinkRequest{Link: relay.Name(), Blackhole: true, Id: strings.Repeat("x", 100)}), codes.InvalidArgument},
		{"mend nothing", mend(""), codes.InvalidArgument},
		{"mend what is unknown", mend("x"), codes.NotFound},
		{"no signal", signal("ledger-1", 0), codes.InvalidArgument},
		{"unknown signal", signal("ledger-1", 99), codes.InvalidArgument},
		{"unknown instance", signal("ledger-2", kill), codes.NotFound},
		{"member without a cluster", func() error {
			_, err := calls.StartMember(ctx, &adminv1.StartMemberRequest{InitialClusterState: "new"})
			return err
		}, codes.InvalidArgument},
		{"search for nothing", func() error { _, err := calls.SearchLogs(ctx, &adminv1.SearchLogsRequest{}); return err }, codes.InvalidArgument},
		{"end what cannot end", func() error { _, err := calls.EndPart(ctx, &adminv1.EndPartRequest{}); return err }, codes.FailedPrecondition},
		{"watch backwards", func() error {
			stream, err := calls.WatchPart(ctx, &adminv1.WatchPartRequest{IntervalMs: -1})
			if err == nil {
				_, err = stream.Recv()
			}
			return err
		}, codes.InvalidArgument},
	} {
		err := c.ask()
		if status.Code(err) != c.want {
			t.Errorf("%s: %v, want %v", c.name, err, c.want)
		}
		if text := status.Convert(err).Message(); text == "" || strings.Contains(text, "\n") {
			t.Errorf("%s: says %q, want one line", c.name, text)
		}
	}
	if len(machine.signals) != 0 || member.running || h.server.acts.Load() != 0 || len(h.server.breaks.lasts) != 0 {
		t.Errorf("something was done: signals %v, member %v, acts %d", machine.signals, member.running, h.server.acts.Load())
	}
}

// A part refuses what it has nothing for.
func TestPartsDoOnlyWhatTheyHave(t *testing.T) {
	t.Parallel()
	ctx := testContext(t)
	calls := newHost(t, Offers{Name: "book", Role: "book"}).raw()
	for name, ask := range map[string]func() error{
		"start": func() error {
			_, err := calls.StartMember(ctx, &adminv1.StartMemberRequest{InitialCluster: "a", InitialClusterState: "new"})
			return err
		},
		"stop":    func() error { _, err := calls.StopMember(ctx, &adminv1.StopMemberRequest{}); return err },
		"replace": func() error { _, err := calls.ReplaceRouter(ctx, &adminv1.ReplaceRouterRequest{}); return err },
		"signal": func() error {
			_, err := calls.SignalInstance(ctx, &adminv1.SignalInstanceRequest{Instance: "x", Signal: 1})
			return err
		},
		"search": func() error { _, err := calls.SearchLogs(ctx, &adminv1.SearchLogsRequest{Text: "x"}); return err },
	} {
		if err := ask(); status.Code(err) != codes.FailedPrecondition || !strings.Contains(err.Error(), "book") {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// A call that lay in the socket of a process that stood still is not carried
// out when its caller has given up.
func TestLateCallsAreNotCarriedOut(t *testing.T) {
	t.Parallel()
	ctx := withNotAfter(testContext(t), time.Now().Add(-time.Second))
	machine, member := newFakeNode(), &fakeMember{}
	h := newHost(t, Offers{Name: "all", Role: "test", Node: machine, Member: member, Die: func() { t.Error("it died") }})
	calls := h.raw()
	for name, ask := range map[string]func() error{
		"start": func() error {
			_, err := calls.StartMember(ctx, &adminv1.StartMemberRequest{InitialCluster: "a", InitialClusterState: "new"})
			return err
		},
		"stop":    func() error { _, err := calls.StopMember(ctx, &adminv1.StopMemberRequest{}); return err },
		"replace": func() error { _, err := calls.ReplaceRouter(ctx, &adminv1.ReplaceRouterRequest{}); return err },
		"signal": func() error {
			_, err := calls.SignalInstance(ctx, &adminv1.SignalInstanceRequest{Instance: "ledger-1", Signal: 2})
			return err
		},
		"break": func() error { _, err := calls.BreakLink(ctx, &adminv1.BreakLinkRequest{}); return err },
		"end":   func() error { _, err := calls.EndPart(ctx, &adminv1.EndPartRequest{}); return err },
	} {
		if err := ask(); status.Code(err) != codes.Aborted {
			t.Errorf("%s: %v", name, err)
		}
	}
	if h.server.acts.Load() != 0 || len(machine.signals) != 0 || member.running || h.server.death != nil {
		t.Error("something was done")
	}
}

// What fails is told in one line.
func TestFailuresAreToldInOneLine(t *testing.T) {
	t.Parallel()
	machine := newFakeNode()
	machine.err = errors.Join(errors.New("first"), errors.New("second"))
	c := newHost(t, Offers{Name: "a1", Role: "node", Node: machine}).dialed()
	err := c.Node().RestartRouter(testContext(t))
	if err == nil || err.Error() != "a1: first; second" {
		t.Errorf("%v", err)
	}
}

// A table goes over the wire when it has changed, and an idle part sends a beat
// a second and nothing else.
func TestOnlyChangesTravel(t *testing.T) {
	t.Parallel()
	machine := newFakeNode()
	h := newHost(t, Offers{Name: "a1", Role: "node", Node: machine})
	stream, err := h.raw().WatchPart(testContext(t), &adminv1.WatchPartRequest{IntervalMs: 20})
	if err != nil {
		t.Fatal(err)
	}
	next := func() *adminv1.RouterPart {
		t.Helper()
		m, err := stream.Recv()
		if err != nil {
			t.Fatal(err)
		}
		return m.GetNode().GetRouter()
	}
	// From before the first message is received: received late, it would make the
	// beat look early.
	began := time.Now()
	if first := next(); !first.GetTableChanged() || len(first.GetTable()["ledger"].GetAddresses()) != 1 {
		t.Errorf("the first message has no table: %v", first)
	}
	if beat := next(); beat.GetTableChanged() || beat.GetTable() != nil {
		t.Errorf("the table comes again: %v", beat)
	}
	if waited := time.Since(began); waited < beatEvery/2 {
		t.Errorf("an idle part sends something after %v", waited)
	}
	machine.set(func(s *node.RouterStatus) { s.Requests = 100 })
	if m := next(); m.GetRequests() != 100 || m.GetTableChanged() {
		t.Errorf("a change of a counter sends %v", m)
	}
	machine.set(func(s *node.RouterStatus) { s.Table, s.TableVersion = map[string][]string{"feed": {"127.0.0.1:3"}}, 2 })
	if m := next(); !m.GetTableChanged() || len(m.GetTable()) != 1 || m.GetTable()["feed"] == nil {
		t.Errorf("another table sends %v", m)
	}
	// Where nobody keeps count of its versions, the table itself is looked at.
	machine.set(func(s *node.RouterStatus) { s.TableVersion = 0 })
	next()
	machine.set(func(s *node.RouterStatus) { s.Table = map[string][]string{"feed": {"127.0.0.1:4"}} })
	if m := next(); !m.GetTableChanged() || m.GetTable()["feed"].GetAddresses()[0] != "127.0.0.1:4" {
		t.Errorf("another table without a version sends %v", m)
	}
}

// Streams end with the server, so that its listener can be closed at once.
func TestCloseEndsTheWatches(t *testing.T) {
	t.Parallel()
	h := newHost(t, Offers{Name: "book", Role: "book"})
	stream, err := h.raw().WatchPart(testContext(t), &adminv1.WatchPartRequest{})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := stream.Recv(); err != nil {
		t.Fatal(err)
	}
	h.server.Close()
	if _, err := stream.Recv(); status.Code(err) != codes.Unavailable {
		t.Errorf("%v", err)
	}
}

func TestWatchersAreBounded(t *testing.T) {
	t.Parallel()
	calls, ctx := newHost(t, Offers{Name: "book", Role: "book"}).raw(), testContext(t)
	for n := range watchersMax + 1 {
		stream, err := calls.WatchPart(ctx, &adminv1.WatchPartRequest{})
		if err == nil {
			_, err = stream.Recv()
		}
		if full := n == watchersMax; (status.Code(err) == codes.ResourceExhausted) != full || !full && err != nil {
			t.Errorf("watcher %d: %v", n, err)
		}
	}
}

// Whoever gave up on a break, and mended it, is not surprised by it later.
func TestWhatWasMendedBeforeItBeganDoesNotBegin(t *testing.T) {
	t.Parallel()
	ctx := testContext(t)
	h, relay := newAPIServerHost(t)
	calls := h.raw()
	if _, err := calls.MendLink(ctx, &adminv1.MendLinkRequest{Id: "mine"}); status.Code(err) != codes.NotFound {
		t.Fatal(err)
	}
	req := &adminv1.BreakLinkRequest{Link: relay.Name(), Blackhole: true, Id: "mine"}
	if _, err := calls.BreakLink(ctx, req); status.Code(err) != codes.Aborted {
		t.Errorf("%v", err)
	}
	req.Id = "yours"
	if _, err := calls.BreakLink(ctx, req); err != nil {
		t.Error(err)
	}
	if _, err := calls.BreakLink(ctx, req); status.Code(err) != codes.AlreadyExists {
		t.Errorf("%v", err)
	}
	gone, cancel := context.WithCancel(ctx)
	cancel()
	if _, err := h.server.BreakLink(gone, &adminv1.BreakLinkRequest{Link: relay.Name(), Blackhole: true}); status.Code(err) != codes.Canceled {
		t.Errorf("for a caller that has gone: %v", err)
	}
}
