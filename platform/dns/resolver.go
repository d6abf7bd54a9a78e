package dns

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"slices"
	"strconv"
	"time"

	"golang.org/x/net/dns/dnsmessage"
)

const (
	// attemptTimeout and rounds are resolv.conf's: timeout 5 s, attempts 2
	// (resolv.conf(5), RES_TIMEOUT and RES_DFLRETRY).
	attemptTimeout = 5 * time.Second
	rounds         = 2
)

// Answer is what DNS says about a service.
type Answer struct {
	Addrs []string // host:port, sorted; empty: DNS says that there are none
	TTL   time.Duration
}

// Resolver asks name servers. It keeps nothing. It is safe for concurrent use.
type Resolver struct {
	// Servers are host:port, asked in this order.
	Servers []string
}

// Lookup asks for the instances of a service, one server after the other,
// until one answers. A name that does not exist is an answer.
func (r Resolver) Lookup(ctx context.Context, service string) (Answer, error) {
	var errs []error
	for range rounds {
		for _, server := range r.Servers {
			answer, err := ask(ctx, server, service)
			if err == nil {
				return answer, nil
			}
			errs = append(errs, fmt.Errorf("ask %s for %s: %w", server, service, err))
			if ctx.Err() != nil {
				return Answer{}, errors.Join(errs...)
			}
		}
	}
	return Answer{}, errors.Join(errs...)
}

func ask(ctx context.Context, server, service string) (Answer, error) {
	id := uint16(rand.Uint32())
	query, err := queryFor(id, service)
	if err != nil {
		return Answer{}, err
	}
	var dialer net.Dialer
	conn, err := dialer.DialContext(ctx, "udp", server)
	if err != nil {
		return Answer{}, err
	}
	defer conn.Close()
	if err := conn.SetDeadline(time.Now().Add(attemptTimeout)); err != nil {
		return Answer{}, err
	}
	defer context.AfterFunc(ctx, func() { conn.Close() })()
	if _, err := conn.Write(query); err != nil {
		return Answer{}, err
	}
	buffer := make([]byte, payloadBytes)
	for {
		n, err := conn.Read(buffer)
		if err != nil {
			return Answer{}, err
		}
		// What does not belong to this question is passed over (RFC 5452, 9.1).
		if answer, ours, err := read(buffer[:n], id, service); ours {
			return answer, err
		}
	}
}

func queryFor(id uint16, service string) ([]byte, error) {
	name, err := dnsmessage.NewName(serviceName(service))
	if err != nil {
		return nil, fmt.Errorf("%q is no name: %w", service, err)
	}
	var opt dnsmessage.ResourceHeader
	if err := opt.SetEDNS0(payloadBytes, dnsmessage.RCodeSuccess, false); err != nil {
		return nil, err
	}
	b := dnsmessage.NewBuilder(nil, dnsmessage.Header{ID: id, RecursionDesired: true})
	err = errors.Join(
		b.StartQuestions(),
		b.Question(dnsmessage.Question{Name: name, Type: dnsmessage.TypeSRV, Class: dnsmessage.ClassINET}),
		b.StartAdditionals(), b.OPTResource(opt, dnsmessage.OPTResource{}),
	)
	if err != nil {
		return nil, fmt.Errorf("write a question: %w", err)
	}
	return b.Finish()
}

// read takes an answer; ours says that it is one to the question.
func read(packed []byte, id uint16, service string) (a Answer, ours bool, err error) {
	var m dnsmessage.Message
	if err := m.Unpack(packed); err != nil {
		return a, false, nil //nolint:nilerr // A stray datagram is no failure of the server asked.
	}
	if m.ID != id || !m.Response || len(m.Questions) != 1 || serviceOf(m.Questions[0].Name.String()) != service {
		return a, false, nil
	}
	if m.RCode != dnsmessage.RCodeSuccess && m.RCode != dnsmessage.RCodeNameError {
		return a, true, fmt.Errorf("answered %v", m.RCode)
	}
	hosts := map[string]net.IP{}
	for _, r := range m.Additionals {
		if body, ok := r.Body.(*dnsmessage.AResource); ok {
			hosts[r.Header.Name.String()] = body.A[:]
		}
	}
	for _, r := range m.Answers {
		body, ok := r.Body.(*dnsmessage.SRVResource)
		if !ok {
			continue
		}
		ip, ok := hosts[body.Target.String()]
		if !ok {
			continue // Room had run out for its address.
		}
		a.Addrs = append(a.Addrs, net.JoinHostPort(ip.String(), strconv.Itoa(int(body.Port))))
		a.TTL = time.Duration(r.Header.TTL) * time.Second
	}
	slices.Sort(a.Addrs)
	for _, r := range m.Authorities {
		if body, ok := r.Body.(*dnsmessage.SOAResource); ok && len(a.Addrs) == 0 {
			a.TTL = time.Duration(body.MinTTL) * time.Second
		}
	}
	return a, true, nil
}
