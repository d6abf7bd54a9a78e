package handover

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"
)

// manner tells the successor of a test how to behave.
const manner = "BREAKBANK_TEST_SUCCESSOR"

// TestMain makes the test binary be the successor, since that is what Succeed
// starts.
func TestMain(m *testing.M) {
	if os.Getenv(variable) != "" {
		os.Exit(succeed(os.Getenv(manner)))
	}
	goleak.VerifyTestMain(m)
}

// succeed is a successor that behaves as it is told.
func succeed(how string) int {
	s, err := Inherit()
	if err != nil || !s.Succeeding() {
		return 1
	}
	g, err := s.Listen("requests", "not used: the socket is inherited")
	if err != nil {
		return 2
	}
	switch how {
	case "dies":
		return 3
	case "hangs":
		select {}
	case "serves":
		if s.Ready() != nil || s.Succeeding() {
			return 4
		}
		greet(g)
	}
	return 0
}

// greet tells each caller who serves, until one says "end".
func greet(l net.Listener) {
	for {
		conn, err := l.Accept()
		if err != nil {
			return
		}
		_ = conn.SetDeadline(time.Now().Add(5 * time.Second))
		_, _ = fmt.Fprintln(conn, os.Getpid())
		said, _ := bufio.NewReader(conn).ReadString('\n')
		conn.Close()
		if said == "end\n" {
			return
		}
	}
}

// call connects and returns who answered; say is what it is told then.
func call(addr, say string) (pid int, err error) {
	conn, err := net.DialTimeout("tcp", addr, 5*time.Second)
	if err != nil {
		return 0, err
	}
	defer conn.Close()
	_ = conn.SetDeadline(time.Now().Add(5 * time.Second))
	r := bufio.NewReader(conn)
	line, err := r.ReadString('\n')
	if err != nil {
		return 0, err
	}
	if _, err := io.WriteString(conn, say+"\n"); err != nil {
		return 0, err
	}
	_, _ = r.ReadByte() // its end
	return strconv.Atoi(strings.TrimSpace(line))
}

// listen returns the sockets of a process that has no predecessor, with one
// that is served in the background.
func listen(t *testing.T) (*Sockets, *Gate) {
	t.Helper()
	s, err := Inherit()
	if err != nil {
		t.Fatal(err)
	}
	if s.Succeeding() {
		t.Fatal("there is no predecessor")
	}
	g, err := s.Listen("requests", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	served := make(chan struct{})
	go func() {
		defer close(served)
		greet(g)
	}()
	t.Cleanup(func() {
		if err := g.Close(); err != nil {
			t.Error(err)
		}
		<-served
	})
	return s, g
}

func TestSuccessorServesOnTheSameSocket(t *testing.T) {
	s, g := listen(t)
	addr := g.Addr().String()
	if pid, err := call(addr, ""); err != nil || pid != os.Getpid() {
		t.Fatalf("answered by %d, %v", pid, err)
	}
	t.Setenv(manner, "serves")
	systemd := listenAsSystemd(t)
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	successor, err := s.Succeed(ctx)
	if err != nil {
		t.Fatal(err)
	}
	process, err := os.FindProcess(successor)
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		_ = process.Kill()
		_, _ = process.Wait()
	}()
	if err := Follow(successor); err != nil {
		t.Error(err)
	}
	if got := systemd(); got != fmt.Sprintf("MAINPID=%d", successor) {
		t.Errorf("systemd was told %q", got)
	}
	s.Shut(ctx)
	for range 3 {
		if pid, err := call(addr, ""); err != nil || pid != successor {
			t.Errorf("answered by %d, %v; want the successor, %d", pid, err, successor)
		}
	}
	if err := g.Close(); err != nil {
		t.Error(err)
	}
	if pid, err := call(addr, "end"); err != nil || pid != successor {
		t.Errorf("answered by %d, %v; want the successor, %d", pid, err, successor)
	}
	if state, err := process.Wait(); err != nil || !state.Success() {
		t.Errorf("the successor ended with %v, %v", state, err)
	}
}

// listenAsSystemd returns what is told to systemd next.
func listenAsSystemd(t *testing.T) func() string {
	t.Helper()
	path := t.TempDir() + "/notify"
	conn, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: path, Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	t.Setenv(notifySocket, path)
	return func() string {
		_ = conn.SetReadDeadline(time.Now().Add(5 * time.Second))
		state := make([]byte, 100)
		n, err := conn.Read(state)
		if err != nil {
			t.Error(err)
		}
		return string(state[:n])
	}
}

func TestSystemdIsToldOfTheFirst(t *testing.T) {
	s, _ := listen(t)
	systemd := listenAsSystemd(t)
	if err := s.Ready(); err != nil {
		t.Fatal(err)
	}
	if got := systemd(); got != "READY=1" {
		t.Errorf("systemd was told %q", got)
	}
	t.Setenv(notifySocket, "/nowhere")
	if err := s.Ready(); err == nil {
		t.Error("nobody was there to be told")
	}
}

// A successor that is not ready costs nothing: the predecessor serves on.
func TestSuccessorThatIsNotReady(t *testing.T) {
	for how, limit := range map[string]time.Duration{"dies": 20 * time.Second, "hangs": 300 * time.Millisecond} {
		t.Run(how, func(t *testing.T) {
			s, g := listen(t)
			t.Setenv(manner, how)
			ctx, cancel := context.WithTimeout(t.Context(), limit)
			defer cancel()
			if _, err := s.Succeed(ctx); !errors.Is(err, ErrNotReady) {
				t.Errorf("got %v", err)
			}
			if pid, err := call(g.Addr().String(), ""); err != nil || pid != os.Getpid() {
				t.Errorf("answered by %d, %v", pid, err)
			}
			if err := s.Ready(); err != nil {
				t.Errorf("without a predecessor: %v", err)
			}
		})
	}
}

func TestInheritRefusesWhatItCannotRead(t *testing.T) {
	for _, written := range []string{"requests", "requests=two", "requests=1", "=,"} {
		t.Setenv(variable, written)
		if _, err := Inherit(); err == nil || !strings.Contains(err.Error(), written) {
			t.Errorf("%q: %v", written, err)
		}
		if _, set := os.LookupEnv(variable); set {
			t.Errorf("%q is left for the children", written)
		}
	}
}

func TestATakenAddressIsNamed(t *testing.T) {
	_, g := listen(t)
	s, err := Inherit()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.Listen("requests", g.Addr().String()); err == nil || !strings.Contains(err.Error(), g.Addr().String()) {
		t.Errorf("got %v", err)
	}
}
