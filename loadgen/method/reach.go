package method

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"time"

	"breakbank/loadgen/transport"
)

// reachLimit bounds how long it takes to find out whether a target is there.
const reachLimit = 5 * time.Second

// Reach says in one line why a target cannot be called: there is no such host,
// nobody listens, or it speaks TLS where cleartext is spoken to it, or the
// reverse. It connects as a load does, sends nothing, and leaves.
func Reach(ctx context.Context, s Source) error {
	ctx, cancel := context.WithTimeout(ctx, reachLimit)
	defer cancel()
	t, err := transport.NewWire(transport.Config{Targets: []transport.Target{{Name: "the target", Addresses: []string{s.Target}}}, TLS: s.TLS})
	if err != nil {
		return err
	}
	defer t.Close()
	if err = t.Settle(ctx); err == nil {
		return nil
	}
	return s.unreached(ctx, err)
}

// unreached adds to the transport's error what to do about it.
func (s *Source) unreached(ctx context.Context, err error) error {
	var notTLS tls.RecordHeaderError
	var dial *net.OpError
	undialled := errors.As(err, &dial) && dial.Op == "dial"
	switch {
	case errors.As(err, &notTLS):
		return fmt.Errorf("%s answers in clear, not in TLS: drop --tls", s.Target)
	case s.TLS == nil && !undialled && speaksTLS(ctx, s.Target):
		return fmt.Errorf("%s speaks TLS, not cleartext: pass --tls", s.Target)
	}
	return errors.New(plain(err))
}

// speaksTLS says whether somebody at an address shakes hands, whoever that is.
func speaksTLS(ctx context.Context, address string) bool {
	dialer := tls.Dialer{Config: &tls.Config{InsecureSkipVerify: true, NextProtos: []string{"h2"}}}
	c, err := dialer.DialContext(ctx, "tcp", address)
	if err != nil {
		return false
	}
	c.Close()
	return true
}
