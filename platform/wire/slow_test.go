package wire

import (
	"context"
	"errors"
	"net"
	"os"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"golang.org/x/net/http2"
)

// These tests run in virtual time, on a connection inside the process that
// takes a write only when somebody reads it.

// A client that takes its time for its first bytes, one by one or none at all,
// is cut off after prefaceTimeout.
func TestSlowPreface(t *testing.T) {
	for _, c := range []struct {
		name  string
		first string
		every time.Duration
	}{
		{"nothing", "", 0},
		{"a byte now and then", http2.ClientPreface, time.Second},
		{"the preface, and no settings", http2.ClientPreface, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				near, far := net.Pipe()
				h := newRecorder()
				conn := NewServer(near, Config{Handler: h})
				var client sync.WaitGroup
				client.Go(func() {
					for i := range len(c.first) {
						if _, err := far.Write([]byte{c.first[i]}); err != nil {
							return
						}
						time.Sleep(c.every) // virtual
					}
				})
				began := time.Now()
				conn.work.Wait()
				if took := time.Since(began); took != prefaceTimeout {
					t.Errorf("it took %v", took)
				}
				if err := conn.Err(); !errors.Is(err, os.ErrDeadlineExceeded) {
					t.Errorf("the connection ended with %v", err)
				}
				_ = far.Close()
				client.Wait()
			})
		})
	}
}

// A client that has introduced itself may be silent for as long as it likes.
func TestSilenceIsFine(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		near, far := net.Pipe()
		conn := NewServer(near, Config{Handler: newRecorder()})
		go discard(far)
		fr := http2.NewFramer(far, nil)
		if _, err := far.Write([]byte(http2.ClientPreface)); err != nil {
			t.Fatal(err)
		}
		if err := fr.WriteSettings(); err != nil {
			t.Fatal(err)
		}
		time.Sleep(24 * time.Hour) // virtual
		if err := conn.Err(); err != nil {
			t.Error(err)
		}
		conn.Close()
		_ = far.Close()
	})
}

func discard(nc net.Conn) {
	p := make([]byte, 1<<10)
	for {
		if _, err := nc.Read(p); err != nil {
			return
		}
	}
}

// A peer whose socket takes nothing at all is given up after writeStall, and
// its streams end.
func TestWriteStall(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		near, far := net.Pipe()
		h := newRecorder()
		conn := NewClient(near, Config{Handler: h})
		// Its first words; nothing after them is taken, or the stream would only
		// wait behind them, and be unprocessed for certain.
		if _, err := far.Read(make([]byte, 1<<10)); err != nil {
			t.Fatal(err)
		}
		var b Batch
		s, err := conn.Open(&b, nil, requestFields(), false)
		if err != nil {
			t.Fatal(err)
		}
		b.Flush()
		began := time.Now()
		conn.work.Wait()
		if took := time.Since(began); took != writeStall {
			t.Errorf("it took %v", took)
		}
		// The pipe has taken nothing, but that cannot be known.
		if why := h.ended[s]; why.Kind != Broken {
			t.Errorf("the stream is %v", why)
		}
		_ = far.Close()
	})
}

// Who breaks the protocol has refusalTimeout to read why, and no longer.
func TestRefusalDoesNotWait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		near, far := net.Pipe()
		h := newRecorder()
		conn := NewServer(near, Config{Handler: h})
		if _, err := far.Write([]byte("GET / HTTP/1.1\r\nhost: b\r\n\r\n")); err != nil {
			t.Fatal(err)
		}
		began := time.Now()
		conn.work.Wait()
		if took := time.Since(began); took != refusalTimeout {
			t.Errorf("it took %v", took)
		}
		var wrong *ProtocolError
		if err := conn.Err(); !errors.As(err, &wrong) || wrong.Code != http2.ErrCodeProtocol {
			t.Errorf("the connection ended with %v", err)
		}
		_ = far.Close()
	})
}

// A server that accepts and says nothing is no server.
func TestNotGreeted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		near, far := net.Pipe()
		conn := NewClient(near, Config{Handler: newRecorder()})
		go discard(far)
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if err := conn.Greeted(ctx); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("greeted: %v", err)
		}
		conn.Close()
		_ = far.Close()
	})
}
