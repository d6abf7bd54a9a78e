package router

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/interop"
	testpb "google.golang.org/grpc/interop/grpc_testing"
)

// interopCases are gRPC's public interoperability cases, as far as they are
// about what a proxy carries: the others are about credentials and about
// clients that balance for themselves.
// https://github.com/grpc/grpc/blob/master/doc/interop-test-descriptions.md
var interopCases = []struct {
	name string
	run  func(context.Context, *grpc.ClientConn)
}{
	{"empty_unary", interopCase(interop.DoEmptyUnaryCall)},
	{"large_unary", interopCase(interop.DoLargeUnaryCall)},
	{"client_streaming", interopCase(interop.DoClientStreaming)},
	{"server_streaming", interopCase(interop.DoServerStreaming)},
	{"ping_pong", interopCase(interop.DoPingPong)},
	{"empty_stream", interopCase(interop.DoEmptyStream)},
	{"timeout_on_sleeping_server", interopCase(interop.DoTimeoutOnSleepingServer)},
	{"cancel_after_begin", interopCase(interop.DoCancelAfterBegin)},
	{"cancel_after_first_response", interopCase(interop.DoCancelAfterFirstResponse)},
	{"status_code_and_message", interopCase(interop.DoStatusCodeAndMessage)},
	{"special_status_message", interopCase(interop.DoSpecialStatusMessage)},
	{"custom_metadata", interopCase(interop.DoCustomMetadata)},
	{"unimplemented_method", interop.DoUnimplementedMethod},
	{"unimplemented_service", func(ctx context.Context, conn *grpc.ClientConn) {
		interop.DoUnimplementedService(ctx, testpb.NewUnimplementedServiceClient(conn))
	}},
}

func interopCase(do func(context.Context, testpb.TestServiceClient, ...grpc.CallOption)) func(context.Context, *grpc.ClientConn) {
	return func(ctx context.Context, conn *grpc.ClientConn) { do(ctx, testpb.NewTestServiceClient(conn)) }
}

// interopRaces are cases in which the client itself races: it cancels, or runs
// out of time, and an answer that comes at that very moment may be what it sees.
// With no router between, too; so they may be repeated.
var interopRaces = []string{"timeout_on_sleeping_server", "cancel_after_begin"}

// interopAttempts is how often such a case may be tried.
const interopAttempts = 3

const (
	// interopRouter and interopRun make the test binary be the client: where the
	// router is, and which cases to run.
	interopRouter = "BREAKBANK_TEST_INTEROP_ROUTER"
	interopRun    = "BREAKBANK_TEST_INTEROP_RUN"
	// interopPassed begins the line that a case writes when it has passed.
	interopPassed = "passed: "
	// interopLimit bounds one case. Each takes milliseconds, but for what a
	// loaded machine adds.
	interopLimit = 20 * time.Second
)

// TestInterop runs the public cases through every data plane of a router. They
// end the process that they fail in, so they run in one of their own.
func TestInterop(t *testing.T) {
	if addr := os.Getenv(interopRouter); addr != "" {
		interopClient(t, addr)
		return
	}
	for _, plane := range ProxyPlanes() {
		t.Run(plane, func(t *testing.T) {
			registry := newRegistryStub(t)
			registry.set("echo", startInteropServer(t))
			r, addr := startRouter(t, registry, "dataplane: "+plane)
			<-r.Ready()
			left := []string{}
			for _, c := range interopCases {
				left = append(left, c.name)
			}
			failed := map[string]int{}
			for len(left) > 0 {
				passed, said := runInteropClient(t, addr, left)
				left = left[len(passed):]
				if len(left) == 0 {
					return
				}
				failed[left[0]]++
				if slices.Contains(interopRaces, left[0]) && failed[left[0]] < interopAttempts {
					continue
				}
				t.Errorf("%s failed:\n%s", left[0], said)
				left = left[1:] // the client has ended; the others may still pass
			}
		})
	}
}

// runInteropClient runs cases in order in another process, up to one that
// fails, and returns those that passed, and what was said.
func runInteropClient(t *testing.T, addr string, cases []string) (passed []string, said string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Duration(len(cases))*interopLimit)
	defer cancel()
	client := exec.CommandContext(ctx, os.Args[0], "-test.run=^TestInterop$", "-test.count=1")
	client.Env = append(os.Environ(), interopRouter+"="+addr, interopRun+"="+strings.Join(cases, ","))
	var out bytes.Buffer
	client.Stdout, client.Stderr = &out, &out
	err := client.Run()
	for line := range strings.Lines(out.String()) {
		if name, ok := strings.CutPrefix(line, interopPassed); ok {
			passed = append(passed, strings.TrimSpace(name))
		}
	}
	if !slices.Equal(passed, cases[:min(len(passed), len(cases))]) {
		t.Fatalf("ran %q of %q:\n%s", passed, cases, out.String())
	}
	if err != nil && len(passed) == len(cases) {
		t.Errorf("after the last case: %v:\n%s", err, out.String())
	}
	return passed, out.String()
}

// interopClient runs the cases that it is told to, on one connection.
func interopClient(t *testing.T, addr string) {
	conn, err := grpc.NewClient("passthrough:///"+addr, grpc.WithAuthority("echo"), grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	wanted := strings.Split(os.Getenv(interopRun), ",")
	for _, c := range interopCases {
		if !slices.Contains(wanted, c.name) {
			continue
		}
		ctx, cancel := context.WithTimeout(t.Context(), interopLimit)
		c.run(ctx, conn)
		cancel()
		fmt.Println(interopPassed + c.name)
	}
}

func startInteropServer(t *testing.T) instance {
	t.Helper()
	l := listen(t)
	server := grpc.NewServer(grpc.WaitForHandlers(true))
	testpb.RegisterTestServiceServer(server, interop.NewTestServer())
	done := make(chan struct{})
	go func() {
		defer close(done)
		_ = server.Serve(l)
	}()
	t.Cleanup(func() {
		server.Stop()
		<-done
	})
	return instance{"echo-1", l.Addr().String()}
}

// TestInteropCanFail: a case that ends the client's process fails the test, and
// the cases after it still run.
func TestInteropCanFail(t *testing.T) {
	registry := newRegistryStub(t)
	b := startBackend(t, "echo-1") // it sends no header that custom_metadata could read
	registry.set("echo", b.instance())
	r, addr := startRouter(t, registry, "{}")
	<-r.Ready()
	passed, said := runInteropClient(t, addr, []string{"ping_pong", "custom_metadata", "unimplemented_service"})
	if slices.Contains(passed, "custom_metadata") || slices.Contains(passed, "unimplemented_service") {
		t.Errorf("%q passed against a server that has nothing of it:\n%s", passed, said)
	}
}
