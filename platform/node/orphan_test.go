package node

import (
	"bufio"
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"breakbank/platform/process"
)

// runTestNode is a process that starts an instance as a node's does, says its
// number and address, and waits to be killed.
func runTestNode() error {
	l, err := net.ListenTCP("tcp4", &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		return err
	}
	s := &Spawner{Command: []string{os.Args[0], "--spec"}, Env: []string{roleEnv + "=" + roleInstance}}
	instance, err := s.New(context.Background(), Env{
		Service: "ledger", Version: "v1", Instance: "ledger-v1-1-a2", RouterAddr: "127.0.0.1:1",
		Listener: l, DataDir: os.Args[1],
	})
	if err != nil {
		return err
	}
	fmt.Println(instance.(*spawned).process.PID(), l.Addr())
	return instance.Serve()
}

// testNode is such a process, seen from the test.
type testNode struct {
	process  *process.Process
	presence *process.Presence
	child    int
	address  string
}

func startTestNode(t *testing.T) *testNode {
	t.Helper()
	n := &testNode{}
	var err error
	if n.presence, err = process.NewPresence(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(n.presence.Close)
	cmd := exec.Command(os.Args[0], t.TempDir())
	cmd.Env = append(os.Environ(), roleEnv+"="+roleNode)
	cmd.Stderr = os.Stderr
	said := make(chan string, 1)
	cmd.Stdout = &process.Lines{Each: func(line string) { said <- line }}
	if n.process, err = process.Start(cmd, process.Options{Name: "node", Presence: n.presence.File()}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(n.process.Kill)
	select {
	case line := <-said:
		pid, address, _ := strings.Cut(line, " ")
		if n.child, err = strconv.Atoi(pid); err != nil {
			t.Fatalf("the node says %q", line)
		}
		n.address = address
	case <-n.process.Done():
		t.Fatalf("the node: %v", n.process.Err())
	}
	return n
}

func TestNoInstanceOutlivesItsNode(t *testing.T) {
	for _, stopped := range []bool{false, true} {
		name := "running"
		if stopped {
			name = "stopped"
		}
		t.Run(name, func(t *testing.T) {
			if stopped && runtime.GOOS != "linux" {
				t.Skip("only Linux ends a stopped process with its parent")
			}
			n := startTestNode(t)
			greeting := bufio.NewReader(dial(t, n.address))
			if _, err := greeting.ReadString('\n'); err != nil {
				t.Fatalf("the instance does not serve: %v", err)
			}
			if stopped {
				if err := syscall.Kill(n.child, syscall.SIGSTOP); err != nil {
					t.Fatal(err)
				}
				await(t, "the kernel to say that it is stopped", func() bool {
					s, err := process.Look(n.child)
					return err == nil && s.State == process.Stopped
				})
			}
			n.process.Kill()
			ctx, cancel := context.WithTimeout(t.Context(), testLimit)
			defer cancel()
			select {
			case <-n.presence.Gone():
			case <-ctx.Done():
				_ = syscall.Kill(n.child, syscall.SIGKILL)
				t.Fatal("the instance lives on")
			}
			await(t, "the end of its socket", func() bool { return refused(n.address) })
		})
	}
}
