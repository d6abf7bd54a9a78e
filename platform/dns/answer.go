package dns

import (
	"errors"
	"fmt"
	"strings"

	"golang.org/x/net/dns/dnsmessage"

	"breakbank/platform/router/discovery"
)

// errNotAsked is of a message that gets no answer: it is one itself, and two
// servers could go on answering each other.
var errNotAsked = errors.New("not a question but an answer")

// answer answers one message: with the instances, or with the code that RFC 1035
// (4.1.1) has for why not. It fails if there is nobody to answer.
func (s *Server) answer(question []byte) ([]byte, error) {
	var parser dnsmessage.Parser
	asked, err := parser.Start(question)
	if err != nil {
		return nil, fmt.Errorf("read a question: %w", err)
	}
	if asked.Response {
		return nil, errNotAsked
	}
	reply := dnsmessage.Header{ID: asked.ID, OpCode: asked.OpCode, Response: true, RecursionDesired: asked.RecursionDesired}
	if asked.OpCode != 0 {
		return refusal(reply, dnsmessage.RCodeNotImplemented)
	}
	questions, err := parser.AllQuestions()
	if err != nil || len(questions) != 1 || len(question) > payloadBytes {
		return refusal(reply, dnsmessage.RCodeFormatError)
	}
	q, room := questions[0], roomFor(&parser)
	if q.Class != dnsmessage.ClassINET || !strings.HasSuffix(strings.ToLower(q.Name.String()), zone) {
		return refusal(reply, dnsmessage.RCodeRefused)
	}
	reply.Authoritative = true
	endpoints, known, synced := s.lookup(serviceOf(q.Name.String()))
	switch {
	case !synced:
		reply.RCode = dnsmessage.RCodeServerFailure
	case !known:
		reply.RCode = dnsmessage.RCodeNameError
	case q.Type == dnsmessage.TypeSRV:
		return largest(reply, q, endpoints, room)
	}
	return message(reply, q, nil)
}

// refusal is an answer without anything of the question but its id.
func refusal(h dnsmessage.Header, code dnsmessage.RCode) ([]byte, error) {
	h.RCode = code
	b := dnsmessage.NewBuilder(nil, h)
	return b.Finish()
}

// roomFor is how long an answer may be, as the question's OPT record says
// (RFC 6891).
func roomFor(parser *dnsmessage.Parser) int {
	if parser.SkipAllAnswers() != nil || parser.SkipAllAuthorities() != nil {
		return plainBytes
	}
	for {
		h, err := parser.AdditionalHeader()
		if err != nil {
			return plainBytes
		}
		if h.Type == dnsmessage.TypeOPT {
			return min(max(int(h.Class), plainBytes), payloadBytes)
		}
		if parser.SkipAdditional() != nil {
			return plainBytes
		}
	}
}

// largest is an answer with as many instances as there is room for.
func largest(h dnsmessage.Header, q dnsmessage.Question, endpoints []discovery.Endpoint, room int) ([]byte, error) {
	for {
		packed, err := message(h, q, endpoints)
		if err != nil || len(packed) <= room || len(endpoints) == 0 {
			return packed, err
		}
		h.Truncated = true
		endpoints = endpoints[:len(endpoints)*room/len(packed)]
	}
}

// message is an answer: SRV records of the endpoints, and their A records in
// addition. Without any it is a no, with the time for which that holds.
func message(h dnsmessage.Header, q dnsmessage.Question, endpoints []discovery.Endpoint) ([]byte, error) {
	b := dnsmessage.NewBuilder(nil, h)
	b.EnableCompression()
	errs := []error{b.StartQuestions(), b.Question(q), b.StartAnswers()}
	service := serviceOf(q.Name.String())
	for _, e := range endpoints {
		errs = append(errs, addSRV(&b, q.Name, service, e.Addr))
	}
	errs = append(errs, b.StartAuthorities())
	if len(endpoints) == 0 {
		errs = append(errs, addSOA(&b))
	}
	errs = append(errs, b.StartAdditionals())
	for _, e := range endpoints {
		errs = append(errs, addA(&b, service, e.Addr))
	}
	if err := errors.Join(errs...); err != nil {
		return nil, fmt.Errorf("write an answer for %s: %w", q.Name, err)
	}
	return b.Finish()
}

func addSRV(b *dnsmessage.Builder, name dnsmessage.Name, service, addr string) error {
	_, port, err := splitAddr(addr)
	if err != nil {
		return err
	}
	target, err := dnsmessage.NewName(hostName(service, addr))
	if err != nil {
		return err
	}
	h, err := header(name.String(), dnsmessage.TypeSRV, TTL)
	if err != nil {
		return err
	}
	return b.SRVResource(h, dnsmessage.SRVResource{Weight: 1, Port: port, Target: target})
}

func addA(b *dnsmessage.Builder, service, addr string) error {
	ip, _, err := splitAddr(addr)
	if err != nil {
		return err
	}
	h, err := header(hostName(service, addr), dnsmessage.TypeA, TTL)
	if err != nil {
		return err
	}
	return b.AResource(h, dnsmessage.AResource{A: ip})
}

// addSOA says how long a no may be kept (RFC 2308).
func addSOA(b *dnsmessage.Builder) error {
	h, err := header(zone, dnsmessage.TypeSOA, NegativeTTL)
	if err != nil {
		return err
	}
	return b.SOAResource(h, dnsmessage.SOAResource{NS: h.Name, MBox: h.Name, MinTTL: h.TTL})
}
