package main

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/interop"
	testpb "google.golang.org/grpc/interop/grpc_testing"
	"google.golang.org/grpc/status"
)

// standalone is "breakbank router" as a process.
type standalone struct {
	t        *testing.T
	cmd      *exec.Cmd
	ended    chan struct{}
	out, log string // files: a pipe would end only with the last successor
	requests string // address
	admin    string // base URL
}

// startStandalone runs the command until it is ready, on any port.
func startStandalone(t *testing.T, args ...string) *standalone {
	t.Helper()
	dir := t.TempDir()
	s := &standalone{t: t, ended: make(chan struct{}), out: filepath.Join(dir, "out"), log: filepath.Join(dir, "log")}
	s.cmd, _, _, _ = start(t, append([]string{"router", "--listen", "127.0.0.1:0", "--admin", "127.0.0.1:0"}, args...)...)
	out, err := os.Create(s.out)
	if err != nil {
		t.Fatal(err)
	}
	defer out.Close()
	log, err := os.Create(s.log)
	if err != nil {
		t.Fatal(err)
	}
	defer log.Close()
	s.cmd.Stdout, s.cmd.Stderr = out, log
	if err := s.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go func() {
		_ = s.cmd.Wait() // what it ended with is looked at by those who care
		close(s.ended)
	}()
	t.Cleanup(func() {
		// The first process and whatever succeeded it.
		for _, environ := range processes(t) {
			if pid, err := strconv.Atoi(strings.Split(environ, "/")[2]); err == nil {
				_ = syscall.Kill(pid, syscall.SIGKILL)
			}
		}
		<-s.ended
		if t.Failed() {
			t.Logf("standard output:\n%s\nstandard error:\n%s", s.said(s.out), s.said(s.log))
		}
	})
	eventually(t, endLimit, "the router is ready", func() bool {
		return strings.Contains(s.said(s.out), "ready     process") || s.hasEnded()
	})
	text := s.said(s.out)
	if m := regexp.MustCompile(`requests +(\S+)`).FindStringSubmatch(text); m != nil {
		s.requests = m[1]
	}
	if m := regexp.MustCompile(`admin +(\S+)/`).FindStringSubmatch(text); m != nil {
		s.admin = m[1]
	}
	return s
}

func (s *standalone) said(file string) string {
	text, err := os.ReadFile(file)
	if err != nil {
		s.t.Fatal(err)
	}
	return string(text)
}

func (s *standalone) hasEnded() bool {
	select {
	case <-s.ended:
		return true
	default:
		return false
	}
}

func (s *standalone) signal(pid int, sig syscall.Signal) {
	s.t.Helper()
	if err := syscall.Kill(pid, sig); err != nil {
		s.t.Fatal(err)
	}
}

// get reads a page of the admin server.
func (s *standalone) get(path string) (code int, body string) {
	response, err := http.Get(s.admin + path) //nolint:noctx // a test's own server
	if err != nil {
		return 0, err.Error()
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	if err != nil {
		return 0, err.Error()
	}
	return response.StatusCode, string(text)
}

// pid is of the process that answers the admin page now, 0 if none does.
func (s *standalone) pid() int {
	_, body := s.get("/status")
	m := regexp.MustCompile(`"pid": (\d+)`).FindStringSubmatch(body)
	if m == nil {
		return 0
	}
	pid, _ := strconv.Atoi(m[1]) // it is digits
	return pid
}

// dial returns a client of the router that names a service.
func (s *standalone) dial(service string) testpb.TestServiceClient {
	s.t.Helper()
	conn, err := grpc.NewClient("passthrough:///"+s.requests, grpc.WithAuthority(service), grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(func() { _ = conn.Close() })
	return testpb.NewTestServiceClient(conn)
}

// instanceOf is a real server of gRPC's own test service. Each answer names it.
type instanceOf struct {
	testpb.TestServiceServer
	name, addr string
	// entered, if there is one, is told of each unary call, which then waits
	// for leave.
	entered, leave chan struct{}
}

func startInstance(t *testing.T, name string) *instanceOf {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	i := &instanceOf{TestServiceServer: interop.NewTestServer(), name: name, addr: l.Addr().String()}
	server := grpc.NewServer()
	testpb.RegisterTestServiceServer(server, i)
	served := make(chan struct{})
	go func() {
		defer close(served)
		_ = server.Serve(l)
	}()
	t.Cleanup(func() {
		server.Stop()
		<-served
	})
	return i
}

func (i *instanceOf) UnaryCall(context.Context, *testpb.SimpleRequest) (*testpb.SimpleResponse, error) {
	if i.entered != nil {
		i.entered <- struct{}{}
		<-i.leave
	}
	return &testpb.SimpleResponse{Username: i.name}, nil
}

// seedOf writes a seed file.
func seedOf(t *testing.T, path, service string, instances ...*instanceOf) {
	t.Helper()
	addrs := make([]string, len(instances))
	for i, in := range instances {
		addrs[i] = in.addr
	}
	write(t, path, fmt.Sprintf("services:\n  %s: [%s]\n", service, strings.Join(addrs, ", ")))
}

func TestRouterRefusesBadInput(t *testing.T) {
	good, bad := filepath.Join(t.TempDir(), "good.yaml"), filepath.Join(t.TempDir(), "bad.yaml")
	write(t, good, "services: {a: ['127.0.0.1:1']}\n")
	write(t, bad, "services:\n  a: [nowhere]\n  b: 3\n")
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	address := taken.Addr().String()
	for name, c := range map[string]struct {
		args []string
		code int
		says []string
	}{
		"no discovery":        {nil, exitUsage, []string{"--seed", "--kube-api", "--etcd-endpoints"}},
		"two discoveries":     {[]string{"--seed", good, "--kube-api", "http://127.0.0.1:1"}, exitUsage, []string{"--seed and --kube-api", "only one"}},
		"no such seed":        {[]string{"--seed", good + ".nowhere"}, exitUsage, []string{"good.yaml.nowhere", "no such file"}},
		"bad seed":            {[]string{"--seed", bad}, exitUsage, []string{"bad.yaml:2", "nowhere", "bad.yaml:3", "list of host:port"}},
		"unknown arm":         {[]string{"--seed", good, "--arm", "linkerd-2016"}, exitUsage, []string{"linkerd-2016", "guarded"}},
		"unknown data plane":  {[]string{"--seed", good, "--dataplane", "carrier-pigeon"}, exitUsage, []string{"carrier-pigeon", "raw-codec"}},
		"not a proxy":         {[]string{"--seed", good, "--dataplane", "client-side"}, exitUsage, []string{"client-side", "frames"}},
		"not a router's arm":  {[]string{"--seed", good, "--arm", "client-go"}, exitUsage, []string{"client-go", "--seed"}},
		"no such token":       {[]string{"--kube-api", "http://127.0.0.1:1", "--kube-token-file", good + ".nowhere"}, exitUsage, []string{"token", "no such file"}},
		"a token for nobody":  {[]string{"--seed", good, "--kube-token-file", good}, exitUsage, []string{"--kube-api"}},
		"no URL":              {[]string{"--kube-api", "127.0.0.1:8001"}, exitUsage, []string{"127.0.0.1:8001", "http://"}},
		"port taken":          {[]string{"--seed", good, "--listen", address}, exitFailed, []string{address, "address already in use"}},
		"admin's port taken":  {[]string{"--seed", good, "--admin", address}, exitFailed, []string{address, "address already in use"}},
		"nothing to listen":   {[]string{"--seed", good, "--listen", "here"}, exitFailed, []string{"listen on here"}},
		"unknown level":       {[]string{"--seed", good, "--log-level", "loud"}, exitUsage, []string{"loud"}},
		"a limit that is not": {[]string{"--seed", good, "--drain-limit", "long"}, exitUsage, []string{"long"}},
	} {
		t.Run(name, func(t *testing.T) {
			args := []string{"router", "--listen", "127.0.0.1:0", "--admin", "127.0.0.1:0"}
			code, stdout, stderr := command(t, append(args, c.args...)...)
			if code != c.code || stdout != "" {
				t.Errorf("exit code %d, want %d; on standard output %q", code, c.code, stdout)
			}
			if strings.Count(strings.TrimSpace(stderr), "\n") != 0 {
				t.Errorf("said more than a line:\n%s", stderr)
			}
			for _, want := range c.says {
				if !strings.Contains(stderr, want) {
					t.Errorf("does not say %q: %s", want, stderr)
				}
			}
		})
	}
}

// TestRouterServesASeed: by name, by default, and what it says of it.
func TestRouterServesASeed(t *testing.T) {
	seed := filepath.Join(t.TempDir(), "seed.yaml")
	seedOf(t, seed, "echo", startInstance(t, "echo-1"))
	s := startStandalone(t, "--seed", seed, "--default-service", "echo", "--node", "n1", "--zone", "z1")
	for _, authority := range []string{"echo", s.requests} {
		out, err := s.dial(authority).UnaryCall(t.Context(), &testpb.SimpleRequest{})
		if err != nil || out.GetUsername() != "echo-1" {
			t.Errorf("%s: answered by %q, %v", authority, out.GetUsername(), err)
		}
	}
	if _, err := s.dial("ledger").UnaryCall(t.Context(), &testpb.SimpleRequest{}); status.Code(err) != codes.Unavailable {
		t.Errorf("an unknown name: %v", err)
	}
	for path, want := range map[string][]string{
		"/":        {"echo", s.requests, "n1", "z1", "seed.yaml", "strategy:"},
		"/healthz": {"ok"},
		"/readyz":  {"ok"},
		"/status":  {`"phase": "ready"`, `"name": "echo"`, `"state": "usable"`},
		"/metrics": {`bb_router_requests_total{code="OK",service="echo"} 2`, `bb_router_refused_total{service="_unknown"} 1`},
	} {
		var code int
		var body string
		// The last answer may come a moment before it is counted.
		eventually(t, endLimit, path, func() bool {
			code, body = s.get(path)
			for _, text := range want {
				if !strings.Contains(body, text) {
					return false
				}
			}
			return code == http.StatusOK
		})
	}
}

// TestRouterDrains: on SIGTERM what is under way may end, and the command ends
// well.
func TestRouterDrains(t *testing.T) {
	seed := filepath.Join(t.TempDir(), "seed.yaml")
	echo := startInstance(t, "echo-1")
	echo.entered, echo.leave = make(chan struct{}), make(chan struct{})
	seedOf(t, seed, "echo", echo)
	s := startStandalone(t, "--seed", seed)
	answered := make(chan error, 1)
	client := s.dial("echo")
	go func() {
		_, err := client.UnaryCall(t.Context(), &testpb.SimpleRequest{})
		answered <- err
	}()
	<-echo.entered
	s.signal(s.cmd.Process.Pid, syscall.SIGTERM)
	eventually(t, endLimit, "it drains", func() bool {
		code, body := s.get("/readyz")
		return code == http.StatusServiceUnavailable && strings.Contains(body, "draining")
	})
	close(echo.leave)
	if err := <-answered; err != nil {
		t.Errorf("the request under way: %v", err)
	}
	eventually(t, endLimit, "the router has ended", s.hasEnded)
	if code := s.cmd.ProcessState.ExitCode(); code != exitOK {
		t.Errorf("exit code %d", code)
	}
}

// TestRouterDrainsNoLongerThanItMay: a request that does not end is cut off.
func TestRouterDrainsNoLongerThanItMay(t *testing.T) {
	seed := filepath.Join(t.TempDir(), "seed.yaml")
	echo := startInstance(t, "echo-1")
	echo.entered, echo.leave = make(chan struct{}), make(chan struct{})
	defer close(echo.leave)
	seedOf(t, seed, "echo", echo)
	s := startStandalone(t, "--seed", seed, "--drain-limit", "100ms")
	answered := make(chan error, 1)
	client := s.dial("echo")
	go func() {
		_, err := client.UnaryCall(t.Context(), &testpb.SimpleRequest{})
		answered <- err
	}()
	<-echo.entered
	s.signal(s.cmd.Process.Pid, syscall.SIGINT)
	if err := <-answered; err == nil {
		t.Error("the request survived")
	}
	eventually(t, endLimit, "the router has ended", s.hasEnded)
	if code := s.cmd.ProcessState.ExitCode(); code != exitOK {
		t.Errorf("exit code %d", code)
	}
	if !strings.Contains(s.said(s.log), "cut off") {
		t.Error("it does not say that it cut something off")
	}
}

// TestRouterReadsItsSeedAgain: when it changes and when it is told to; what is
// wrong in it is said and changes nothing.
func TestRouterReadsItsSeedAgain(t *testing.T) {
	seed := filepath.Join(t.TempDir(), "seed.yaml")
	first, second, third := startInstance(t, "echo-1"), startInstance(t, "echo-2"), startInstance(t, "echo-3")
	seedOf(t, seed, "echo", first)
	s := startStandalone(t, "--seed", seed)
	client := s.dial("echo")
	answeredBy := func() string {
		out, err := client.UnaryCall(t.Context(), &testpb.SimpleRequest{})
		if err != nil {
			t.Error(err)
		}
		return out.GetUsername()
	}
	if got := answeredBy(); got != "echo-1" {
		t.Errorf("answered by %q", got)
	}
	seedOf(t, seed, "echo", second)
	eventually(t, endLimit, "the changed file is taken", func() bool { return answeredBy() == "echo-2" })

	write(t, seed, "services:\n  echo: [here]\n")
	s.signal(s.cmd.Process.Pid, syscall.SIGHUP)
	eventually(t, endLimit, "the bad file is refused", func() bool {
		log := s.said(s.log)
		return strings.Contains(log, "refused") && strings.Contains(log, "seed.yaml:2")
	})
	if got := answeredBy(); got != "echo-2" {
		t.Errorf("answered by %q", got)
	}
	seedOf(t, seed, "echo", third)
	s.signal(s.cmd.Process.Pid, syscall.SIGHUP)
	eventually(t, endLimit, "the file is read on request", func() bool { return answeredBy() == "echo-3" })
}
