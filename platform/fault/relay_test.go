package fault

import (
	"context"
	"errors"
	"io"
	"net"
	"syscall"
	"testing"
	"time"

	"go.uber.org/goleak"

	"breakbank/platform/ports"
)

const testLimit = 20 * time.Second

// testPorts are those of all tests: what is restarted at its address has no other
// test's listener in its place, and nobody listens at the address of what is gone.
var testPorts = ports.New()

// verifyNoLeak fails the test if it leaves a goroutine. Such a test is not
// parallel: it would see those of others. Those of embedded etcd
// members, which another test may have left behind, speak HTTP to each other;
// relays do not.
func verifyNoLeak(t *testing.T) {
	t.Helper()
	options := []goleak.Option{goleak.IgnoreCurrent()}
	for _, function := range []string{
		"net/http.(*persistConn).readLoop", "net/http.(*persistConn).writeLoop",
		"net/http.(*conn).serve", "net/http.(*connReader).backgroundRead",
	} {
		options = append(options, goleak.IgnoreAnyFunction(function))
	}
	t.Cleanup(func() { goleak.VerifyNone(t, options...) })
}

// link is a relay in front of a TCP server that echoes.
type link struct {
	*Relay
	t *testing.T
}

func newLink(t *testing.T) link {
	t.Helper()
	verifyNoLeak(t)
	server := newEchoServer(t)
	r := NewRelay(listen(t), func() string { return server.Addr().String() }, "a/b/c")
	t.Cleanup(func() {
		if err := r.Close(); err != nil {
			t.Error(err)
		}
	})
	return link{r, t}
}

func listen(t *testing.T) net.Listener {
	t.Helper()
	l, err := testPorts.Listen()
	if err != nil {
		t.Fatal(err)
	}
	return l
}

func newEchoServer(t *testing.T) net.Listener {
	t.Helper()
	l := listen(t)
	done := make(chan struct{})
	go func() {
		defer close(done)
		var open []net.Conn
		ended := make(chan struct{}, 100)
		for {
			conn, err := l.Accept()
			if err != nil {
				break
			}
			open = append(open, conn)
			go func() {
				_, _ = io.Copy(conn, conn)
				conn.Close()
				ended <- struct{}{}
			}()
		}
		for _, conn := range open {
			conn.Close()
		}
		for range open {
			<-ended
		}
	}()
	t.Cleanup(func() { l.Close(); <-done })
	return l
}

func (l link) dial() net.Conn {
	l.t.Helper()
	conn, err := net.DialTimeout("tcp4", l.Addr(), testLimit)
	if err != nil {
		l.t.Fatal(err)
	}
	l.t.Cleanup(func() { conn.Close() })
	if err := conn.SetDeadline(time.Now().Add(testLimit)); err != nil {
		l.t.Fatal(err)
	}
	return conn
}

// echoes says whether what is written comes back.
func echoes(conn net.Conn, text string) error {
	if _, err := io.WriteString(conn, text); err != nil {
		return err
	}
	back := make([]byte, len(text))
	if _, err := io.ReadFull(conn, back); err != nil {
		return err
	}
	if string(back) != text {
		return errors.New("came back as " + string(back))
	}
	return nil
}

func await(t *testing.T, what string, is func() bool) {
	t.Helper()
	if err := until(context.Background(), testLimit, is); err != nil {
		t.Fatalf("%s: %v", what, err)
	}
}

func TestRelayRefusedByTheTargetResets(t *testing.T) {
	verifyNoLeak(t)
	gone := listen(t)
	gone.Close()
	r := NewRelay(listen(t), func() string { return gone.Addr().String() }, "x")
	defer func() { _ = r.Close() }()
	conn, err := net.Dial("tcp4", r.Addr())
	if err == nil { // Else the reset was faster than the dial.
		defer conn.Close()
		_, err = conn.Read(make([]byte, 1))
	}
	if !errors.Is(err, syscall.ECONNRESET) {
		t.Errorf("%v, want a reset", err)
	}
}

func TestLatencyReplaysFromItsSeed(t *testing.T) {
	draw := func(seed, stream uint64) (waits []time.Duration) {
		var now time.Time
		relay := &Relay{}
		if _, err := relay.Latency(t.Context(), time.Millisecond, time.Second, seed); err != nil {
			t.Fatal(err)
		}
		hold := &holdback{current: &relay.delay, stream: stream}
		for range 5 {
			now = now.Add(time.Hour)
			waits = append(waits, hold.until(now).Sub(now))
		}
		return waits
	}
	first, same, seed, stream := draw(1, 2), draw(1, 2), draw(9, 2), draw(1, 3)
	for i := range first {
		if first[i] != same[i] {
			t.Errorf("draw %d: %v and %v from one seed", i, first[i], same[i])
		}
		if first[i] < time.Millisecond || first[i] >= time.Millisecond+time.Second {
			t.Errorf("draw %d: %v is outside delay and jitter", i, first[i])
		}
	}
	if first[0] == seed[0] || first[0] == stream[0] {
		t.Error("another seed, or another connection, draws the same")
	}
}
