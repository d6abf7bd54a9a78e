// Package linktest is the suite that every fault.Link must pass.
package linktest

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"syscall"
	"testing"
	"time"

	"breakbank/platform/fault"
)

const (
	// limit bounds every wait of the suite.
	limit = 20 * time.Second
	// lookAgain is the pause between two looks at a link.
	lookAgain = 5 * time.Millisecond
	// silence is how long nothing must come out of a dark connection.
	silence = 30 * time.Millisecond
)

// Subject is a link under test.
type Subject struct {
	Link fault.Link
	// Address is where the link begins (host:port).
	Address string
}

// Opener makes a link in front of a server at target, which it is asked for
// when connections are made. What it makes ends with the test.
type Opener func(t *testing.T, target func() string) Subject

// Run puts links through the suite, a fresh one for each test.
func Run(t *testing.T, open Opener) {
	for _, c := range []struct {
		name string
		test func(*testing.T, *bench)
	}{
		{"left alone it changes nothing", leftAlone},
		{"a blackhole swallows and closes nothing", blackhole},
		{"a blackhole of nothing is empty", emptyHole},
		{"latency holds back both ways in order", latency},
		{"clearing one leaves the other", clearOne},
		{"a reset is seen at both ends", reset},
		{"a hole can be cleared twice", clearTwice},
	} {
		t.Run(c.name, func(t *testing.T) {
			ctx, cancel := context.WithTimeout(context.Background(), 2*limit)
			defer cancel()
			target := NewEcho(t)
			c.test(t, &bench{Subject: open(t, func() string { return target }), T: t, ctx: ctx})
		})
	}
}

// bench is a link in front of a server that echoes.
type bench struct {
	Subject
	*testing.T
	ctx context.Context
}

// NewEcho starts a server that sends back what it is sent, until the test ends,
// and returns its address.
func NewEcho(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
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
				_, _ = io.Copy(conn, conn) // Until either end is gone.
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
	return l.Addr().String()
}

func (b *bench) dial() net.Conn {
	b.Helper()
	conn, err := net.DialTimeout("tcp4", b.Address, limit)
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { conn.Close() })
	b.readsUntil(conn, limit)
	return conn
}

// dialed is a connection that has carried something.
func (b *bench) dialed() net.Conn {
	b.Helper()
	conn := b.dial()
	b.must(echoes(conn, "before"))
	return conn
}

// readsUntil bounds what is done with a connection from now on.
func (b *bench) readsUntil(conn net.Conn, d time.Duration) {
	b.Helper()
	b.must(conn.SetDeadline(time.Now().Add(d)))
}

func (b *bench) must(err error) {
	b.Helper()
	if err != nil {
		b.Fatal(err)
	}
}

func (b *bench) await(what string, is func() bool) {
	b.Helper()
	again := time.NewTicker(lookAgain)
	defer again.Stop()
	over := time.NewTimer(limit)
	defer over.Stop()
	for !is() {
		select {
		case <-again.C:
		case <-over.C:
			b.Fatalf("%s: not within %v", what, limit)
		}
	}
}

// awaitConnections waits until the link says that it has so many: what is done
// to connections is done to those that it has.
func (b *bench) awaitConnections(n int) {
	b.Helper()
	b.await("the connections", func() bool { return b.Link.Connections() == n })
}

func (b *bench) darken() fault.Hole {
	b.Helper()
	hole, err := b.Link.Blackhole(b.ctx)
	b.must(err)
	return hole
}

func (b *bench) slow(delay, jitter time.Duration) fault.Delay {
	b.Helper()
	d, err := b.Link.Latency(b.ctx, delay, jitter, 7)
	b.must(err)
	return d
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

func isReset(conn net.Conn) bool {
	_, err := conn.Read(make([]byte, 1))
	return errors.Is(err, syscall.ECONNRESET)
}

func leftAlone(t *testing.T, b *bench) {
	if b.Link.Name() == "" {
		t.Error("it has no name")
	}
	conn := b.dial()
	sent := bytes.Repeat([]byte("breakbank"), 200_000) // Many times what a relay holds.
	go func() {
		_, _ = conn.Write(sent) // What is missing is missed below.
		_ = conn.(*net.TCPConn).CloseWrite()
	}()
	got, err := io.ReadAll(conn) // Ends only if the half-close passes, both ways.
	if err != nil || !bytes.Equal(got, sent) {
		t.Fatalf("%d of %d bytes came back, %v", len(got), len(sent), err)
	}
	b.awaitConnections(0)
}

func blackhole(t *testing.T, b *bench) {
	conn, quitter := b.dialed(), b.dialed()
	b.awaitConnections(2)
	hole := b.darken()
	const void = "into the void"
	for range 3 {
		if _, err := io.WriteString(conn, void); err != nil {
			t.Fatalf("a dark connection refuses bytes: %v", err)
		}
	}
	b.await("all bytes swallowed", func() bool { return hole.Swallowed() == 3*int64(len(void)) })
	if hole.Connections() != 2 || hole.Established() != 1 {
		t.Errorf("%d connections dark, %d ESTABLISHED when first swallowed from", hole.Connections(), hole.Established())
	}
	b.readsUntil(conn, silence)
	var timeout net.Error
	if n, err := conn.Read(make([]byte, 1)); n != 0 || !errors.As(err, &timeout) || !timeout.Timeout() {
		t.Errorf("read %d bytes, %v: want silence", n, err)
	}
	b.readsUntil(conn, limit)
	if err := echoes(b.dial(), "a new connection"); err != nil {
		t.Errorf("a new connection does not work: %v", err)
	}
	// Who leaves a dark connection is not heard at the other end.
	quitter.Close()
	if _, err := io.WriteString(conn, void); err != nil {
		t.Error(err)
	}
	b.awaitConnections(3)
	b.must(hole.Clear(b.ctx))
	if !isReset(conn) {
		t.Error("a connection with holes ends otherwise than by a reset")
	}
	b.awaitConnections(1)
	if hole.Swallowed() < 3*int64(len(void)) || hole.Connections() != 2 {
		t.Errorf("the proof is gone: %d bytes on %d connections", hole.Swallowed(), hole.Connections())
	}
	if err := echoes(b.dial(), "after"); err != nil {
		t.Error(err)
	}
}

func emptyHole(t *testing.T, b *bench) {
	hole := b.darken()
	conn := b.dialed()
	if hole.Connections() != 0 || hole.Swallowed() != 0 || hole.Established() != 0 {
		t.Error("a link without connections has dark ones")
	}
	b.must(hole.Clear(b.ctx))
	if err := echoes(conn, "after"); err != nil {
		t.Error(err)
	}
}

func latency(t *testing.T, b *bench) {
	conn := b.dialed()
	const delay = 30 * time.Millisecond
	held := b.slow(delay, 10*time.Millisecond)
	start := time.Now()
	for range 5 {
		b.must(echoes(conn, "tick"))
	}
	if took := time.Since(start); took < 5*2*delay {
		t.Errorf("5 round trips took %v, want at least %v", took, 5*2*delay)
	}
	b.await("the count of reads", func() bool { return held.Chunks() == 10 })
	if held.Held() < 10*delay {
		t.Errorf("%d reads held back by %v", held.Chunks(), held.Held())
	}
	// Much at once keeps its order, although each part draws its own jitter.
	var sent bytes.Buffer
	for i := range 50_000 {
		sent.WriteByte(byte(i))
	}
	go func() { _, _ = conn.Write(sent.Bytes()) }() // What is missing is missed below.
	got := make([]byte, sent.Len())
	if _, err := io.ReadFull(conn, got); err != nil || !bytes.Equal(got, sent.Bytes()) {
		t.Errorf("out of order, or lost: %v", err)
	}
	b.must(held.Clear(b.ctx))
	last := held.Chunks()
	if last <= 10 {
		t.Errorf("%d reads held back at its end", last)
	}
	// The fastest of several: a busy machine may hold up some of them, latency
	// would hold back all.
	fastest := limit
	for range 10 {
		start = time.Now()
		b.must(echoes(conn, "after"))
		fastest = min(fastest, time.Since(start))
	}
	if fastest >= 2*delay {
		t.Errorf("a round trip took %v at least after it was cleared", fastest)
	}
	if held.Chunks() != last {
		t.Errorf("%d reads held back, %d before it was cleared", held.Chunks(), last)
	}
}

func clearOne(t *testing.T, b *bench) {
	conn := b.dialed()
	b.awaitConnections(1)
	hole := b.darken()
	first := b.slow(time.Millisecond, 0)
	second := b.slow(2*time.Millisecond, 0)
	b.must(first.Clear(b.ctx)) // The second has taken its place.
	lit := b.dial()
	b.must(echoes(lit, "slow"))
	b.await("latency still", func() bool { return second.Chunks() > 0 })
	b.must(second.Clear(b.ctx))
	if _, err := io.WriteString(conn, "void"); err != nil {
		t.Fatal(err)
	}
	b.await("bytes swallowed after the latency was cleared", func() bool { return hole.Swallowed() == int64(len("void")) })

	third := b.slow(time.Millisecond, 0)
	b.must(hole.Clear(b.ctx))
	if !isReset(conn) {
		t.Error("the dark connection ends otherwise than by a reset")
	}
	b.must(echoes(lit, "slow again"))
	b.await("latency still", func() bool { return third.Chunks() > 0 })
	b.must(third.Clear(b.ctx))
}

func reset(t *testing.T, b *bench) {
	conn := b.dialed()
	n, err := b.Link.Reset(b.ctx)
	if err != nil || n != 1 {
		t.Errorf("%d connections reset, %v", n, err)
	}
	if !isReset(conn) {
		t.Error("read: want a reset")
	}
	if err := echoes(b.dial(), "after"); err != nil {
		t.Error(err)
	}
}

func clearTwice(t *testing.T, b *bench) {
	b.dialed()
	hole, delay := b.darken(), b.slow(time.Millisecond, 0)
	for range 2 {
		b.must(hole.Clear(b.ctx))
		b.must(delay.Clear(b.ctx))
	}
	if err := echoes(b.dial(), "after"); err != nil {
		t.Error(err)
	}
}
