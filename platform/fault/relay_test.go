package fault

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"syscall"
	"testing"
	"time"

	"go.uber.org/goleak"
)

const testLimit = 20 * time.Second

// verifyNoLeak fails the test if it leaves a goroutine. Those of embedded etcd
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
	l, err := net.Listen("tcp4", "127.0.0.1:0")
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

func TestRelayLeftAloneChangesNothing(t *testing.T) {
	l := newLink(t)
	conn := l.dial()
	sent := bytes.Repeat([]byte("breakbank"), 200_000) // Many times the queue's chunks.
	go func() {
		_, _ = conn.Write(sent)
		_ = conn.(*net.TCPConn).CloseWrite()
	}()
	got, err := io.ReadAll(conn) // Ends only if the half-close passes, both ways.
	if err != nil || !bytes.Equal(got, sent) {
		t.Fatalf("%d of %d bytes came back, %v", len(got), len(sent), err)
	}
	await(t, "the connection's end", func() bool { return l.Connections() == 0 })
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

func TestBlackholeSwallowsAndClosesNothing(t *testing.T) {
	l := newLink(t)
	conn, quitter := l.dial(), l.dial()
	for _, c := range []net.Conn{conn, quitter} {
		if err := echoes(c, "before"); err != nil {
			t.Fatal(err)
		}
	}
	hole := l.Blackhole()
	for range 3 {
		if _, err := io.WriteString(conn, "into the void"); err != nil {
			t.Fatalf("a dark connection refuses bytes: %v", err)
		}
	}
	await(t, "all bytes swallowed", func() bool { return hole.Swallowed() == 3*int64(len("into the void")) })
	if hole.Connections() != 2 || hole.Established() != 1 {
		t.Errorf("%d connections dark, %d ESTABLISHED when first swallowed from", hole.Connections(), hole.Established())
	}
	if err := conn.SetReadDeadline(time.Now().Add(30 * time.Millisecond)); err != nil {
		t.Fatal(err)
	}
	var timeout net.Error
	if n, err := conn.Read(make([]byte, 1)); n != 0 || !errors.As(err, &timeout) || !timeout.Timeout() {
		t.Errorf("read %d bytes, %v: want silence", n, err)
	}
	if err := echoes(l.dial(), "a new connection"); err != nil {
		t.Errorf("a new connection does not work: %v", err)
	}
	// Who leaves a dark connection is not heard at the other end.
	quitter.Close()
	if _, err := io.WriteString(conn, "still here"); err != nil {
		t.Error(err)
	}
	if open := l.Connections(); open != 3 {
		t.Errorf("%d connections open, want all 3", open)
	}

	hole.Clear()
	if err := conn.SetReadDeadline(time.Now().Add(testLimit)); err != nil {
		t.Fatal(err)
	}
	if _, err := conn.Read(make([]byte, 1)); !errors.Is(err, syscall.ECONNRESET) {
		t.Errorf("a connection with holes ends with %v, want a reset", err)
	}
	await(t, "dark connections gone", func() bool { return l.Connections() == 1 })
	if err := echoes(l.dial(), "after"); err != nil {
		t.Error(err)
	}
}

func TestLatencyHoldsBackBothWaysInOrder(t *testing.T) {
	l := newLink(t)
	conn := l.dial()
	const delay = 30 * time.Millisecond
	latency := l.Latency(delay, 10*time.Millisecond, 7)
	start := time.Now()
	for range 5 {
		if err := echoes(conn, "tick"); err != nil {
			t.Fatal(err)
		}
	}
	if took := time.Since(start); took < 5*2*delay {
		t.Errorf("5 round trips took %v, want at least %v", took, 5*2*delay)
	}
	if latency.Chunks() != 10 || latency.Held() < 10*delay {
		t.Errorf("%d reads held back by %v", latency.Chunks(), latency.Held())
	}
	// Much at once keeps its order, although each part draws its own jitter.
	var sent bytes.Buffer
	for i := range 50_000 {
		sent.WriteByte(byte(i))
	}
	go func() { _, _ = conn.Write(sent.Bytes()) }()
	got := make([]byte, sent.Len())
	if _, err := io.ReadFull(conn, got); err != nil || !bytes.Equal(got, sent.Bytes()) {
		t.Errorf("out of order, or lost: %v", err)
	}
	latency.Clear()
	if err := echoes(conn, "after"); err != nil {
		t.Error(err)
	}
	held := latency.Chunks()
	if err := echoes(conn, "again"); err != nil || latency.Chunks() != held {
		t.Errorf("held back after it was cleared: %v", err)
	}
}

func TestClearingOneFaultLeavesTheOther(t *testing.T) {
	l := newLink(t)
	conn := l.dial()
	if err := echoes(conn, "before"); err != nil {
		t.Fatal(err)
	}
	hole := l.Blackhole()
	first := l.Latency(time.Millisecond, 0, 1)
	second := l.Latency(2*time.Millisecond, 0, 1)
	first.Clear() // The second has taken its place.
	lit := l.dial()
	if err := echoes(lit, "slow"); err != nil || second.Chunks() == 0 {
		t.Errorf("%d reads held back, %v: want latency still", second.Chunks(), err)
	}
	second.Clear()
	if _, err := io.WriteString(conn, "void"); err != nil {
		t.Fatal(err)
	}
	await(t, "bytes swallowed after the latency was cleared", func() bool { return hole.Swallowed() == int64(len("void")) })

	third := l.Latency(time.Millisecond, 0, 1)
	hole.Clear()
	if _, err := conn.Read(make([]byte, 1)); !errors.Is(err, syscall.ECONNRESET) {
		t.Errorf("the dark connection ends with %v, want a reset", err)
	}
	if err := echoes(lit, "slow again"); err != nil || third.Chunks() == 0 {
		t.Errorf("%d reads held back, %v: want latency still", third.Chunks(), err)
	}
}

func TestLatencyReplaysFromItsSeed(t *testing.T) {
	draw := func(seed, stream uint64) (waits []time.Duration) {
		var now time.Time
		relay := &Relay{}
		relay.Latency(time.Millisecond, time.Second, seed)
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

func TestResetIsSeenAtBothEnds(t *testing.T) {
	l := newLink(t)
	conn := l.dial()
	if err := echoes(conn, "before"); err != nil {
		t.Fatal(err)
	}
	if n := l.Reset(); n != 1 {
		t.Errorf("%d connections reset", n)
	}
	if _, err := conn.Read(make([]byte, 1)); !errors.Is(err, syscall.ECONNRESET) {
		t.Errorf("read: %v, want a reset", err)
	}
	if err := echoes(l.dial(), "after"); err != nil {
		t.Error(err)
	}
}
