package main

import (
	"context"
	"encoding/json"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/timestamppb"

	"breakbank/platform/access"
	"breakbank/platform/rpc"
	adminv1 "breakbank/proto/admin/v1"
	bankv1 "breakbank/proto/bank/v1"
	"breakbank/services/bank"
)

// fakeStack is a control API and an edge to the card network on one port, which
// wants a token for the former if it has one.
type fakeStack struct {
	adminv1.UnimplementedAdminServiceServer
	bankv1.UnimplementedCardNetServiceServer
	address string
	token   string
	// edge is what the platform says of where its edge is.
	edge string
	// code is what the card network is answered; err is answered instead.
	code string
	err  error
	// books is what it says of its books, unless there is an error.
	books *adminv1.CheckBooksResponse

	mu         sync.Mutex
	tapped     []*bankv1.AuthoriseRequest
	requestIDs []string
	showed     []string
	settings   string
	generation string
	asked      int
}

func startFakeStack(t *testing.T, s *fakeStack) *fakeStack {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s.address = l.Addr().String()
	if s.edge == "" {
		s.edge = s.address
	}
	allowed := func(ctx context.Context, method string) error {
		if !strings.HasPrefix(method, "/admin.") {
			return nil
		}
		md, _ := metadata.FromIncomingContext(ctx)
		shown := strings.Join(md.Get("authorization"), ",")
		s.mu.Lock()
		s.showed = append(s.showed, shown)
		s.mu.Unlock()
		if s.token != "" && shown != "Bearer "+s.token {
			return status.Error(codes.Unauthenticated, "no")
		}
		return nil
	}
	server := grpc.NewServer(
		grpc.UnaryInterceptor(func(ctx context.Context, request any, info *grpc.UnaryServerInfo, handler grpc.UnaryHandler) (any, error) {
			if err := allowed(ctx, info.FullMethod); err != nil {
				return nil, err
			}
			return handler(ctx, request)
		}),
		grpc.StreamInterceptor(func(v any, stream grpc.ServerStream, info *grpc.StreamServerInfo, handler grpc.StreamHandler) error {
			if err := allowed(stream.Context(), info.FullMethod); err != nil {
				return err
			}
			return handler(v, stream)
		}),
	)
	adminv1.RegisterAdminServiceServer(server, s)
	bankv1.RegisterCardNetServiceServer(server, s)
	var serving sync.WaitGroup
	serving.Go(func() { _ = server.Serve(l) })
	t.Cleanup(func() { server.Stop(); serving.Wait() })
	return s
}

func (s *fakeStack) GetTopology(context.Context, *adminv1.GetTopologyRequest) (*adminv1.GetTopologyResponse, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.asked++
	r := &adminv1.GetTopologyResponse{Generation: s.generation, Edges: []*adminv1.Edge{
		{Service: "gateway", Node: "a1", Zone: "a", Address: "127.0.0.1:1"},
		{Service: cardNet, Node: "a1", Zone: "a", Address: s.edge},
		{Service: cardNet, Node: "b1", Zone: "b", Address: s.edge},
	}}
	if s.asked == 1 {
		r.Unready = []string{"the book"}
	}
	return r, nil
}

func (s *fakeStack) WatchState(_ *adminv1.WatchStateRequest, stream grpc.ServerStreamingServer[adminv1.WatchStateResponse]) error {
	return stream.Send(&adminv1.WatchStateResponse{
		At: &timestamppb.Timestamp{Seconds: 100},
		Processes: []*adminv1.ProcessState{
			{Name: "etcd-a", Role: "etcd", Zone: "a", Reachable: true, Pid: 4711, StartedAt: &timestamppb.Timestamp{Seconds: 10}},
			{Name: "etcd-b", Role: "etcd", Zone: "b", Unready: "unreachable"},
			{Name: "a1", Role: "node", Zone: "a", Reachable: true, Pid: 4712, Unready: "no router"},
		},
	})
}

func (s *fakeStack) SearchLogs(_ context.Context, r *adminv1.SearchLogsRequest) (*adminv1.SearchLogsResponse, error) {
	switch {
	case r.GetPart() == "none-":
		return &adminv1.SearchLogsResponse{}, nil
	case r.GetText() == "there":
		return &adminv1.SearchLogsResponse{Found: 2, Logs: 6, First: "it is there", FirstLog: "router-a1"}, nil
	}
	return &adminv1.SearchLogsResponse{Logs: 6}, nil
}

func (s *fakeStack) Reset(_ context.Context, r *adminv1.ResetRequest) (*adminv1.ResetResponse, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.settings, s.generation = r.GetSettings(), r.GetGeneration()
	return &adminv1.ResetResponse{}, nil
}

func (s *fakeStack) Authorise(ctx context.Context, r *bankv1.AuthoriseRequest) (*bankv1.AuthoriseResponse, error) {
	md, _ := metadata.FromIncomingContext(ctx)
	s.mu.Lock()
	s.tapped = append(s.tapped, r)
	s.requestIDs = append(s.requestIDs, md.Get(requestIDHeader)...)
	s.mu.Unlock()
	_ = grpc.SetTrailer(ctx, metadata.Pairs(rpc.RouteTrailer, "live", rpc.RouteAgeTrailer, "7", rpc.AttemptsTrailer, "3"))
	if s.err != nil {
		return nil, s.err
	}
	return &bankv1.AuthoriseResponse{ResponseCode: s.code, DecidedBy: "cardauth"}, nil
}

func TestCtlFindsThePlatform(t *testing.T) {
	s := startFakeStack(t, &fakeStack{token: "hush-hush"})
	right := contexts(t, s.address, "hush-hush")
	wrong := contexts(t, s.address, "wrong-hush")
	without := contexts(t, s.address, "")
	token, bad := filepath.Join(t.TempDir(), "token"), filepath.Join(t.TempDir(), "bad")
	write(t, token, "hush-hush\n")
	write(t, bad, "wrong-hush\n")
	nowhere := freeAddress(t)
	for name, c := range map[string]struct {
		file string
		args []string
		code int
		says []string
	}{
		"by its context":            {right, nil, exitOK, nil},
		"by a flag for the file":    {"", []string{"--context-file", right}, exitOK, nil},
		"by the name of a context":  {right, []string{"--context", "here"}, exitOK, nil},
		"by address and token":      {contexts(t, "127.0.0.1:1", ""), []string{"--control", s.address, "--token-file", token}, exitOK, nil},
		"a flag before the context": {wrong, []string{"--token-file", token}, exitOK, nil},
		"a wrong token":             {wrong, nil, exitFailed, []string{s.address, "refuses the token", "context here of " + wrong}},
		"a wrong token file":        {right, []string{"--token-file", bad}, exitFailed, []string{s.address, "refuses the token", bad}},
		"a context without token":   {without, nil, exitFailed, []string{s.address, "wants a token", without}},
		"an address without token":  {contexts(t, "127.0.0.1:1", "other-hush"), []string{"--control", s.address}, exitFailed, []string{s.address, "wants a token", "--token-file"}},
		"nobody there":              {right, []string{"--context", "there"}, exitFailed, []string{"127.0.0.1:1", "context there of " + right, "breakbank up", "context list"}},
		"nobody at the address":     {right, []string{"--control", nowhere}, exitFailed, []string{nowhere, "breakbank up"}},
		"no such context":           {right, []string{"--context", "elsewhere"}, exitUsage, []string{"elsewhere", "here, there"}},
		"no such file":              {filepath.Join(t.TempDir(), "none"), nil, exitUsage, []string{access.Variable}},
		"no such token file":        {right, []string{"--token-file", "/none"}, exitUsage, []string{"--token-file", "/none"}},
		"no address":                {right, []string{"--control", "nowhere"}, exitUsage, []string{"--control", "host:port"}},
		"the flag of old":           {right, []string{"--admin", s.address}, exitUsage, []string{"--admin"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Setenv(access.Variable, c.file)
			code, stdout, stderr := command(t, append(append([]string{"ctl"}, c.args...), "get")...)
			if code != c.code {
				t.Fatalf("exit code %d, want %d: %s%s", code, c.code, stdout, stderr)
			}
			if c.code != exitOK && (strings.Count(stderr, "\n") != 1 || stdout != "") {
				t.Errorf("it is not one line: %s%s", stdout, stderr)
			}
			for _, want := range c.says {
				if !strings.Contains(stderr, want) {
					t.Errorf("it does not say %q: %s", want, stderr)
				}
			}
			if strings.Contains(stdout+stderr, "hush") {
				t.Errorf("it tells a token: %s%s", stdout, stderr)
			}
		})
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, shown := range s.showed {
		if strings.Contains(shown, "other-hush") {
			t.Error("a platform was shown the token of another")
		}
	}
}

// TestCtlFindsThePlatformByItsSurroundings is how it is in a container, where
// there is no context file.
func TestCtlFindsThePlatformByItsSurroundings(t *testing.T) {
	s := startFakeStack(t, &fakeStack{token: "hush-hush"})
	token := filepath.Join(t.TempDir(), "token")
	write(t, token, "hush-hush\n")
	t.Setenv("BREAKBANK_CONTROL", s.address)
	t.Setenv("BREAKBANK_TOKEN_FILE", token)
	if code, _, stderr := command(t, "ctl", "get"); code != exitOK {
		t.Errorf("exit code %d: %s", code, stderr)
	}
	if code, _, stderr := command(t, "ctl", "--control", "127.0.0.1:1", "get"); code != exitFailed || !strings.Contains(stderr, "127.0.0.1:1") {
		t.Errorf("a flag goes first: exit code %d: %s", code, stderr)
	}
}

func TestCtlWarnsOfALooseContextFile(t *testing.T) {
	s := startFakeStack(t, &fakeStack{token: "hush-hush"})
	path := contexts(t, s.address, "hush-hush")
	if err := os.Chmod(path, 0o644); err != nil {
		t.Fatal(err)
	}
	t.Setenv(access.Variable, path)
	if code, _, stderr := command(t, "ctl", "get"); code != exitOK || !strings.Contains(stderr, path) || !strings.Contains(stderr, "chmod 600") {
		t.Errorf("exit code %d: %s", code, stderr)
	}
}

func TestCtlGetShowsProcesses(t *testing.T) {
	s := startFakeStack(t, &fakeStack{})
	code, stdout, stderr := command(t, "ctl", "--control", s.address, "get")
	if code != exitOK {
		t.Fatalf("exit code %d: %s", code, stderr)
	}
	for _, want := range [][]string{
		{"etcd-a", "etcd", "a", "ready", "4711", "1m30s"},
		{"etcd-b", "etcd", "b", "unreachable"},
		{"a1", "node", "a", "not", "ready", "4712", "no", "router"},
	} {
		if joined := strings.Join(want, " "); !strings.Contains(strings.Join(strings.Fields(stdout), " "), joined) {
			t.Errorf("it does not show %q:\n%s", joined, stdout)
		}
	}
	code, stdout, stderr = command(t, "ctl", "--control", s.address, "get", "--json")
	var state struct {
		Processes []struct {
			Name      string `json:"name"`
			Reachable bool   `json:"reachable"`
		} `json:"processes"`
	}
	if err := json.Unmarshal([]byte(stdout), &state); code != exitOK || err != nil || len(state.Processes) != 3 || !state.Processes[0].Reachable {
		t.Errorf("exit code %d, %v: %s%s", code, err, stdout, stderr)
	}
}

func TestATapByHand(t *testing.T) {
	s := startFakeStack(t, &fakeStack{code: bank.Approved})
	code, stdout, stderr := command(t, "ctl", "--control", s.address, "tap", "--zone", "b", "--card", "7", "--prepaid", "--amount-minor", "250")
	if code != exitOK {
		t.Fatalf("exit code %d: %s", code, stderr)
	}
	s.mu.Lock()
	tapped, ids := s.tapped, s.requestIDs
	s.mu.Unlock()
	if len(tapped) != 1 || len(ids) != 1 || tapped[0].GetCardNumber() != bank.PrepaidNumber(7) || tapped[0].GetAmountMinor() != 250 {
		t.Fatalf("the edge saw %v, ids %v", tapped, ids)
	}
	for _, want := range []string{"00 approved", "cardauth", "node b1, zone b", "live, 7ms old", "3", " ms", ids[0]} {
		if !strings.Contains(stdout, want) {
			t.Errorf("it does not say %q:\n%s", want, stdout)
		}
	}
	if strings.Contains(stdout, tapped[0].GetCardNumber()) {
		t.Error("it shows the whole card number")
	}
	if code, _, stderr := command(t, "ctl", "--control", s.address, "tap"); code != exitOK {
		t.Fatalf("again: exit code %d: %s", code, stderr)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.tapped[0].GetIdempotencyKey() == s.tapped[1].GetIdempotencyKey() {
		t.Error("two taps have one idempotency key")
	}
}

// TestATapFromOutside: the platform's own addresses mean nothing out here.
func TestATapFromOutside(t *testing.T) {
	s := startFakeStack(t, &fakeStack{code: bank.Approved, edge: "a1.bank.invalid:7101"})
	path := filepath.Join(t.TempDir(), access.FileName)
	err := access.Write(path, access.File{Contexts: []access.Context{{
		Name: "compose", Control: s.address, Edges: access.Edges{"a1": {cardNet: s.address}},
	}}}, nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Setenv(access.Variable, path)
	if code, stdout, stderr := command(t, "ctl", "tap", "--node", "a1"); code != exitOK || !strings.Contains(stdout, s.address) {
		t.Errorf("by the context: exit code %d: %s%s", code, stdout, stderr)
	}
	if code, stdout, stderr := command(t, "ctl", "tap", "--address", s.address); code != exitOK {
		t.Errorf("by the flag: exit code %d: %s%s", code, stdout, stderr)
	}
	if code, _, stderr := command(t, "ctl", "tap", "--node", "b1"); code != exitFailed || !strings.Contains(stderr, "a1.bank.invalid") {
		t.Errorf("an edge that is not reached: exit code %d: %s", code, stderr)
	}
}

func TestATapThatIsNotApproved(t *testing.T) {
	for name, c := range map[string]struct {
		stack *fakeStack
		args  []string
		code  int
		says  string
	}{
		"a business no":         {&fakeStack{code: bank.InsufficientFunds}, nil, exitFailed, "51 insufficient funds"},
		"the issuer is gone":    {&fakeStack{code: bank.IssuerInoperative}, nil, exitFailed, "91 the issuer cannot answer"},
		"a code of nobody":      {&fakeStack{code: "77"}, nil, exitFailed, `"77"`},
		"an error":              {&fakeStack{err: status.Error(codes.Unavailable, "no ledger")}, nil, exitFailed, "Unavailable: no ledger"},
		"no such zone":          {&fakeStack{}, []string{"--zone", "z"}, exitUsage, "a1 (zone a), b1 (zone b)"},
		"nothing to pay":        {&fakeStack{}, []string{"--amount-minor", "0"}, exitUsage, "more than 0"},
		"no such customer":      {&fakeStack{}, []string{"--card", "10000"}, exitUsage, "0 to 9999"},
		"an address and a zone": {&fakeStack{}, []string{"--address", "h:1", "--zone", "a"}, exitUsage, "--address"},
		"an address of nothing": {&fakeStack{}, []string{"--address", "here"}, exitUsage, "host:port"},
	} {
		t.Run(name, func(t *testing.T) {
			s := startFakeStack(t, c.stack)
			code, _, stderr := command(t, append([]string{"ctl", "--control", s.address, "tap"}, c.args...)...)
			if code != c.code || !strings.Contains(stderr, c.says) || strings.Count(stderr, "\n") != 1 {
				t.Errorf("exit code %d, want %d; %q, want %q", code, c.code, stderr, c.says)
			}
		})
	}
}

func TestCtlLooksInLogs(t *testing.T) {
	s := startFakeStack(t, &fakeStack{})
	for name, c := range map[string]struct {
		args []string
		code int
		says string
	}{
		"found":       {[]string{"there"}, exitOK, "2 lines in 6 logs; the first, of router-a1:\nit is there\n"},
		"not found":   {[]string{"nowhere"}, exitFailed, `"nowhere" is in none of the latest lines of 6 logs`},
		"no such log": {[]string{"there", "--part", "none-"}, exitFailed, `"none-"`},
		"no text":     {[]string{""}, exitUsage, "say what to look for"},
	} {
		code, stdout, stderr := command(t, append([]string{"ctl", "--control", s.address, "logs"}, c.args...)...)
		if code != c.code || !strings.Contains(stdout+stderr, c.says) {
			t.Errorf("%s: exit code %d: %s%s", name, code, stdout, stderr)
		}
	}
}

func TestCtlResets(t *testing.T) {
	s := startFakeStack(t, &fakeStack{})
	settings := filepath.Join(t.TempDir(), "settings.yaml")
	write(t, settings, "registry_members: 9\n")
	code, stdout, stderr := command(t, "ctl", "--control", s.address, "reset", "--settings", settings)
	if code != exitOK || !strings.Contains(stdout, "back and ready") {
		t.Fatalf("exit code %d: %s%s", code, stdout, stderr)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.settings != "registry_members: 9\n" || s.generation == "" || s.asked < 2 {
		t.Errorf("settings %q, generation %q, asked %d times", s.settings, s.generation, s.asked)
	}
	if code, _, stderr := command(t, "ctl", "--control", s.address, "reset", "--settings", "/none"); code != exitUsage || !strings.Contains(stderr, "/none") {
		t.Errorf("exit code %d: %s", code, stderr)
	}
}
