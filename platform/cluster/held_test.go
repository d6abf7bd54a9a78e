package cluster

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/timestamppb"

	"breakbank/platform/part"
	adminv1 "breakbank/proto/admin/v1"
)

// ghost is a part without a process: ending it only has it come back as another.
type ghost struct {
	adminv1.UnimplementedPartServiceServer
	spec PartSpec
	// ending, if there is one, holds up the end of the part.
	ending chan struct{}

	mu    sync.Mutex
	pid   int64
	ended []*adminv1.EndPartRequest
	again chan struct{} // closed when the process is another
}

func (g *ghost) WatchPart(_ *adminv1.WatchPartRequest, stream adminv1.PartService_WatchPartServer) error {
	for {
		g.mu.Lock()
		pid, again := g.pid, g.again
		g.mu.Unlock()
		at := timestamppb.New(time.Unix(pid, 0))
		if err := stream.Send(&adminv1.WatchPartResponse{Name: g.spec.Name, Role: g.spec.Role, Pid: pid, StartedAt: at}); err != nil {
			return err
		}
		beat := time.NewTimer(time.Second)
		select {
		case <-stream.Context().Done():
			beat.Stop()
			return stream.Context().Err()
		case <-again:
		case <-beat.C:
		}
		beat.Stop()
	}
}

func (g *ghost) EndPart(ctx context.Context, how *adminv1.EndPartRequest) (*adminv1.EndPartResponse, error) {
	if g.ending != nil {
		select {
		case <-g.ending:
		case <-ctx.Done():
			return nil, status.FromContextError(ctx.Err()).Err()
		}
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	g.ended = append(g.ended, how)
	g.pid++
	close(g.again)
	g.again = make(chan struct{})
	return &adminv1.EndPartResponse{}, nil
}

// generations are those that the part was ended for.
func (g *ghost) generations() string {
	g.mu.Lock()
	defer g.mu.Unlock()
	var all []string
	for _, how := range g.ended {
		all = append(all, how.GetGeneration())
	}
	return strings.Join(all, " ")
}

// haunted is a stack of ghosts under a control that does not die.
type haunted struct {
	*control
	ghosts map[string]*ghost
	died   chan struct{}
}

// newHaunted makes a stack of containers that are none; those that are absent
// listen nowhere.
func newHaunted(t *testing.T, absent ...string) *haunted {
	t.Helper()
	topology := Topology{
		Layout: LayoutContainers, RegistryMembers: 1, Dir: t.TempDir(),
		Parts: []PartSpec{
			{Name: "etcd-a", Role: RoleEtcd},
			{Name: "etcd-b", Role: RoleEtcd},
			{Name: "apiserver-a", Role: RoleAPIServer},
			{Name: "book", Role: RoleBook},
			{Name: "nats", Role: RoleNATS},
			{Name: "control", Role: RoleControl},
		},
	}
	port := 0
	nobody := func() string { // where nobody listens
		port++
		return net.JoinHostPort("127.0.0.1", strconv.Itoa(port))
	}
	h := &haunted{ghosts: map[string]*ghost{}, died: make(chan struct{}, 1)}
	for i := range topology.Parts {
		p := &topology.Parts[i]
		p.Address, p.Client, p.Peer = nobody(), nobody(), nobody()
		p.Links = map[string]string{"services": nobody(), "endpoints": nobody(), "endpointslices": nobody(), "configmaps": nobody()}
		l, err := testPorts.Listen()
		if err != nil {
			t.Fatal(err)
		}
		p.Admin = l.Addr().String()
		if p.Role == RoleControl || slices.Contains(absent, p.Name) {
			l.Close()
			continue
		}
		g := &ghost{spec: *p, pid: 1, again: make(chan struct{})}
		h.ghosts[p.Name] = g
		server := grpc.NewServer()
		adminv1.RegisterPartServiceServer(server, g)
		var serving sync.WaitGroup
		serving.Go(func() { _ = server.Serve(l) })
		t.Cleanup(func() { server.Stop(); serving.Wait() })
	}
	if err := topology.check(); err != nil {
		t.Fatal(err)
	}
	self, _ := topology.Part("control")
	log := slog.New(slog.DiscardHandler)
	h.control = &control{
		Platform: &Platform{topology: topology, file: topology, log: log},
		self:     self, clients: map[string]*part.Client{}, die: func() { h.died <- struct{}{} },
	}
	h.processes = h.control
	t.Cleanup(h.closeClients)
	return h
}

// decided is what control is to be in its next life.
func (h *haunted) decided(t *testing.T) nextLife {
	t.Helper()
	n, err := readNextLife(h.topology.Dir, "control")
	if err != nil {
		t.Fatal(err)
	}
	return n
}

func TestAResetEndsEveryPartAndControlLast(t *testing.T) {
	t.Parallel()
	h := newHaunted(t, "etcd-b") // which the topology does not include
	if err := h.reset(t.Context(), "g1", "seed: 7\n"); err != nil {
		t.Fatal(err)
	}
	<-h.died
	if err := h.reset(t.Context(), "g2", ""); status.Code(err) != codes.Aborted {
		t.Errorf("a reset by a control process that is about to end: %v", err)
	}
	for name, g := range h.ghosts {
		if got := g.generations(); got != "g1" {
			t.Errorf("%s was ended for %q", name, got)
		}
	}
	if n := h.decided(t); n.Generation != "g1" || n.Settings != "seed: 7\n" || !n.Wipe {
		t.Errorf("control is to be %+v", n)
	}
	if unready := h.unreadyParts(); len(unready) > 0 {
		t.Errorf("missing: %v; nobody wants etcd-b", unready)
	}
}

// TestAResetWithoutAPartChangesNothing: half a platform emptied would be worse
// than what there was.
func TestAResetWithoutAPartChangesNothing(t *testing.T) {
	t.Parallel()
	h := newHaunted(t, "book", "etcd-b")
	err := h.reset(t.Context(), "g1", "")
	if err == nil || !strings.Contains(err.Error(), "nothing has been changed") || !strings.Contains(err.Error(), "book") {
		t.Errorf("error %v", err)
	}
	for name, g := range h.ghosts {
		if got := g.generations(); got != "" {
			t.Errorf("%s was ended for %q", name, got)
		}
	}
	if n := h.decided(t); n != (nextLife{}) {
		t.Errorf("control is to be %+v", n)
	}
}

func TestAHoldTakesThePartsThatAreThere(t *testing.T) {
	t.Parallel()
	h := newHaunted(t, "nats", "etcd-b")
	if err := h.hold(t.Context()); err == nil || !strings.Contains(err.Error(), "nats") {
		t.Errorf("error %v", err)
	}
	for name, g := range h.ghosts {
		if len(g.ended) != 1 || !g.ended[0].GetHold() {
			t.Errorf("%s was ended so: %v", name, g.ended)
		}
	}
}

// TestAResetOutlivesItsCaller: half a reset is no platform.
func TestAResetOutlivesItsCaller(t *testing.T) {
	t.Parallel()
	h := newHaunted(t)
	release := make(chan struct{})
	h.ghosts["book"].ending = release
	ctx, cancel := context.WithCancel(t.Context())
	result := make(chan error, 1)
	go func() { result <- h.reset(ctx, "g1", "") }()
	eventually(t, "NATS ended", func() bool { return h.ghosts["nats"].generations() == "g1" })
	cancel()
	close(release)
	if err := <-result; err != nil {
		t.Fatal(err)
	}
	for name, g := range h.ghosts {
		if got := g.generations(); got != "g1" {
			t.Errorf("%s was ended for %q", name, got)
		}
	}
	<-h.died
}

// TestTwoResetsDoNotMix: some parts would come back as the one wants, some as
// the other.
func TestTwoResetsDoNotMix(t *testing.T) {
	t.Parallel()
	h := newHaunted(t)
	release := make(chan struct{})
	h.ghosts["book"].ending = release
	result := make(chan error, 1)
	go func() { result <- h.reset(t.Context(), "g1", "") }()
	eventually(t, "NATS ended", func() bool { return h.ghosts["nats"].generations() == "g1" })
	if err := h.reset(t.Context(), "g2", ""); status.Code(err) != codes.Aborted {
		t.Errorf("a second reset: %v", err)
	}
	if err := h.hold(t.Context()); status.Code(err) != codes.Aborted {
		t.Errorf("a hold meanwhile: %v", err)
	}
	close(release)
	if err := <-result; err != nil {
		t.Fatal(err)
	}
	for name, g := range h.ghosts {
		if got := g.generations(); got != "g1" {
			t.Errorf("%s was ended for %q", name, got)
		}
	}
}

// TestAResetReckonsFromTheFile: a part that only the last settings wanted may
// have been taken away since.
func TestAResetReckonsFromTheFile(t *testing.T) {
	t.Parallel()
	h := newHaunted(t, "etcd-b")
	h.topology.RegistryMembers = 2
	if err := h.reset(t.Context(), "default", ""); err != nil {
		t.Fatal(err)
	}
	<-h.died
}

// TestAPlatformThatCannotComeUpCanBeReset: one that is held has no registry, and
// a control process that starts meanwhile waits for it.
func TestAPlatformThatCannotComeUpCanBeReset(t *testing.T) {
	t.Parallel()
	h := newHaunted(t)
	l, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	h.admin, err = newAdminServer(adminConfig{Listener: l, Topology: h.topology, Name: "control", Role: RoleControl, Log: h.log})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = h.admin.Close() })
	conn, err := grpc.NewClient(h.admin.address, grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	admin := adminv1.NewAdminServiceClient(conn)
	reset := func() error {
		_, err := admin.Reset(t.Context(), &adminv1.ResetRequest{Generation: "g1"})
		return err
	}
	if err := reset(); status.Code(err) != codes.Unavailable {
		t.Errorf("before the parts are connected to: %v", err)
	}
	h.nodes, h.routers = map[string]nodeHandle{}, map[string]string{}
	if err := h.dialParts(t.Context()); err != nil {
		t.Fatal(err)
	}
	if _, err := admin.GetTopology(t.Context(), &adminv1.GetTopologyRequest{}); status.Code(err) != codes.Unavailable {
		t.Errorf("the topology of a platform that is not up: %v", err)
	}
	if err := reset(); err != nil {
		t.Errorf("reset: %v", err)
	}
	<-h.died
}

// eventually waits for a condition.
func eventually(t *testing.T, what string, holds func() bool) {
	t.Helper()
	ctx, cancel := context.WithTimeoutCause(t.Context(), 10*time.Second, errors.New("not within 10 s: "+what))
	defer cancel()
	for !holds() {
		if !rest(ctx, 5*time.Millisecond) {
			t.Fatal(context.Cause(ctx))
		}
	}
}
