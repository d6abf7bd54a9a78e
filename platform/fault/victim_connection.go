package fault

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"syscall"
	"time"
)

// Bounds of a look at a victim's address.
const (
	victimDialLimit   = time.Second
	victimAnswerLimit = time.Second
)

// http2Greeting is what an HTTP/2 client says first: the connection preface and
// an empty SETTINGS frame. A server answers it with its own SETTINGS (RFC 9113,
// 3.4). gRPC servers do, and so does the gateway.
const http2Greeting = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + "\x00\x00\x00\x04\x00\x00\x00\x00\x00"

// victimConnection is a connection that a victim itself has answered: however
// the address fares, it lives no longer than the victim.
type victimConnection struct{ net.Conn }

// connectTo connects to a victim and waits for its answer.
func connectTo(ctx context.Context, address string) (victimConnection, error) {
	dialer := net.Dialer{Timeout: victimDialLimit}
	conn, err := dialer.DialContext(ctx, "tcp", address)
	if err != nil {
		return victimConnection{}, err
	}
	c := victimConnection{conn}
	if err := c.greet(ctx); err != nil {
		conn.Close()
		return victimConnection{}, fmt.Errorf("no answer from %s: %w", address, err)
	}
	return c, nil
}

func (c victimConnection) greet(ctx context.Context) error {
	defer c.within(ctx, victimAnswerLimit)()
	if _, err := io.WriteString(c, http2Greeting); err != nil {
		return err
	}
	_, err := c.Read(make([]byte, 1))
	return err
}

// ended waits until the other end closes or resets the connection, for at most
// limit.
func (c victimConnection) ended(ctx context.Context, limit time.Duration) error {
	defer c.within(ctx, limit)()
	_, err := io.Copy(io.Discard, c)
	switch {
	case ctx.Err() != nil:
		return context.Cause(ctx)
	case errors.Is(err, os.ErrDeadlineExceeded):
		return fmt.Errorf("not within %v", limit)
	}
	return nil // The end of the stream, or a reset.
}

// within bounds what is done with the connection until stop is called.
func (c victimConnection) within(ctx context.Context, limit time.Duration) (stop func() bool) {
	_ = c.SetDeadline(time.Now().Add(limit)) // Fails only if the socket is gone already.
	return context.AfterFunc(ctx, func() { _ = c.SetDeadline(time.Unix(0, 0)) })
}

// refuses says whether a dial of the address is refused: nobody listens there.
// Another outcome is no proof of that.
func refuses(ctx context.Context, address string) bool {
	dialer := net.Dialer{Timeout: victimDialLimit}
	conn, err := dialer.DialContext(ctx, "tcp", address)
	if err != nil {
		return errors.Is(err, syscall.ECONNREFUSED)
	}
	conn.Close()
	return false
}
