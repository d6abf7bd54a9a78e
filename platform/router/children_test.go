package router

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	testpb "google.golang.org/grpc/interop/grpc_testing"

	"breakbank/platform/rpc"
)

// childIs makes the test binary be an instance: of which service, by which
// name and at which address, with spaces between.
const childIs = "BREAKBANK_TEST_INSTANCE"

// childInstance is an instance in a process of its own, which can be killed and
// stopped for real.
type childInstance struct {
	instance
	process *exec.Cmd
	in      io.WriteCloser
	out     *bufio.Scanner
}

// startChild starts an instance of a service at an address (host:0 for any).
func startChild(t *testing.T, service, name, addr string) *childInstance {
	t.Helper()
	c := &childInstance{process: exec.Command(os.Args[0], "-test.run=^TestChildInstance$", "-test.count=1")}
	c.process.Env = append(os.Environ(), childIs+"="+strings.Join([]string{service, name, addr}, " "))
	c.process.Stderr = os.Stderr
	in, err := c.process.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := c.process.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := c.process.Start(); err != nil {
		t.Fatal(err)
	}
	c.in, c.out = in, bufio.NewScanner(out)
	t.Cleanup(func() { c.kill(); _ = c.in.Close() })
	c.instance = instance{name, c.answer(t)}
	return c
}

func (c *childInstance) answer(t *testing.T) string {
	t.Helper()
	if !c.out.Scan() {
		t.Fatalf("the instance said nothing more: %v", c.out.Err())
	}
	return c.out.Text()
}

// executed asks how many requests it has executed.
func (c *childInstance) executed(t *testing.T) (n int) {
	t.Helper()
	c.tell(t, "executed")
	if _, err := fmt.Sscan(c.answer(t), &n); err != nil {
		t.Fatal(err)
	}
	return n
}

// slow makes every request take a while.
func (c *childInstance) slow(t *testing.T, by time.Duration) {
	t.Helper()
	c.tell(t, by.String())
	c.answer(t)
}

func (c *childInstance) tell(t *testing.T, line string) {
	t.Helper()
	if _, err := io.WriteString(c.in, line+"\n"); err != nil {
		t.Fatal(err)
	}
}

func (c *childInstance) signal(t *testing.T, s syscall.Signal) {
	t.Helper()
	if err := c.process.Process.Signal(s); err != nil {
		t.Fatal(err)
	}
}

// kill ends the process at once, and waits for that.
func (c *childInstance) kill() {
	_ = c.process.Process.Kill() // it may have ended
	_ = c.process.Wait()
}

// childService is what a child serves.
type childService struct {
	testpb.UnimplementedTestServiceServer
	name     string
	executed atomic.Int64
	delay    atomic.Int64
}

func (s *childService) UnaryCall(ctx context.Context, in *testpb.SimpleRequest) (*testpb.SimpleResponse, error) {
	s.executed.Add(1)
	if d := s.delay.Load(); d > 0 {
		timer := time.NewTimer(time.Duration(d))
		defer timer.Stop()
		select {
		case <-timer.C:
		case <-ctx.Done():
		}
	}
	return &testpb.SimpleResponse{Payload: in.GetPayload(), Username: s.name}, nil
}

// TestChildInstance is an instance, in a process that a test has started.
func TestChildInstance(t *testing.T) {
	who := strings.Fields(os.Getenv(childIs))
	if len(who) != 3 {
		t.Skip("for processes that other tests start")
	}
	l, err := net.Listen("tcp", who[2])
	if err != nil {
		t.Fatal(err)
	}
	server := rpc.NewServer(rpc.ServerConfig{Service: who[0], Instance: who[1], Listener: l})
	service := &childService{name: who[1]}
	testpb.RegisterTestServiceServer(server.Registrar(), service)
	served := make(chan error, 1)
	go func() { served <- server.Serve() }()
	fmt.Println(l.Addr())
	lines := bufio.NewScanner(os.Stdin)
	for lines.Scan() { // up to the end of whoever started it
		if lines.Text() == "executed" {
			fmt.Println(service.executed.Load())
			continue
		}
		by, err := time.ParseDuration(lines.Text())
		if err != nil {
			t.Fatal(err)
		}
		service.delay.Store(int64(by))
		fmt.Println("slow")
	}
	server.Kill()
	if err := <-served; err != nil {
		t.Error(err)
	}
}
