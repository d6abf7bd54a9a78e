package dns

import (
	"bytes"
	"net"
	"strings"
	"testing"
	"time"

	"golang.org/x/net/dns/dnsmessage"
)

// TestWhatIsHostileIsRefused: with the code that DNS has for it, in no more
// bytes than were sent, with nothing of what was sent, and the next good
// question is answered.
func TestWhatIsHostileIsRefused(t *testing.T) {
	s, r := serve(t)
	s.tell(entry("ledger", 12001))
	good, err := queryFor(7, "ledger")
	if err != nil {
		t.Fatal(err)
	}
	const canary = "ask-me-not"
	asking := func(name string, class dnsmessage.Class) []byte {
		q := dnsmessage.Question{Name: dnsmessage.MustNewName(name), Type: dnsmessage.TypeSRV, Class: class}
		packed, err := (&dnsmessage.Message{Header: dnsmessage.Header{ID: 7}, Questions: []dnsmessage.Question{q}}).Pack()
		if err != nil {
			t.Fatal(err)
		}
		return packed
	}
	with := func(at int, value byte) []byte {
		changed := bytes.Clone(good)
		changed[at] = value
		return changed
	}
	const noAnswer = dnsmessage.RCode(0xfff)
	for name, c := range map[string]struct {
		sent []byte
		want dnsmessage.RCode
	}{
		"nothing":               {nil, noAnswer},
		"half a header":         {good[:7], noAnswer},
		"HTTP":                  {[]byte("POST /" + canary + " HTTP/1.1\r\nHost: localhost\r\n\r\n"), dnsmessage.RCodeNotImplemented},
		"noise":                 {bytes.Repeat([]byte{0xff}, 300), noAnswer}, // The bit that says answer is set.
		"an answer":             {with(2, 0x80), noAnswer},
		"an update":             {with(2, 5<<3), dnsmessage.RCodeNotImplemented},
		"half a question":       {good[:20], dnsmessage.RCodeFormatError},
		"no question":           {with(5, 0), dnsmessage.RCodeFormatError},
		"200 questions":         {with(5, 200), dnsmessage.RCodeFormatError},
		"a name that runs over": {with(12, 0x3f), dnsmessage.RCodeFormatError},
		"a name without an end": {append(bytes.Clone(good[:12]), 0xc0, 12, 0, 33, 0, 1), dnsmessage.RCodeFormatError},
		"oversized":             {append(bytes.Clone(good), []byte(strings.Repeat(canary, 6000))...), dnsmessage.RCodeFormatError},
		"somebody else's name":  {asking(canary+".example.", dnsmessage.ClassINET), dnsmessage.RCodeRefused},
		"another class":         {asking(serviceName("ledger"), dnsmessage.ClassCHAOS), dnsmessage.RCodeRefused},
	} {
		t.Run(name, func(t *testing.T) {
			conn, err := net.Dial("udp", s.Addr())
			if err != nil {
				t.Fatal(err)
			}
			defer conn.Close()
			// The server answers in order: what comes to the good question after it
			// says whether there was an answer to the hostile one.
			for _, message := range [][]byte{c.sent, good} {
				if _, err := conn.Write(message); err != nil {
					t.Fatal(err)
				}
			}
			if err := conn.SetReadDeadline(time.Now().Add(patience)); err != nil {
				t.Fatal(err)
			}
			answer := func() []byte {
				buffer := make([]byte, 1<<16)
				n, err := conn.Read(buffer)
				if err != nil {
					t.Fatal(err)
				}
				return buffer[:n]
			}
			if c.want != noAnswer {
				refused := answer()
				var m dnsmessage.Message
				if err := m.Unpack(refused); err != nil || !m.Response || m.RCode != c.want || len(m.Answers) > 0 {
					t.Errorf("answered %v with %d records, %v; want %v", m.RCode, len(m.Answers), err, c.want)
				}
				if len(refused) > len(c.sent) || bytes.Contains(refused, []byte(canary)) {
					t.Errorf("%d bytes sent, %d bytes back: %q", len(c.sent), len(refused), refused)
				}
			}
			if a, ours, err := read(answer(), 7, "ledger"); !ours || err != nil || len(a.Addrs) != 1 {
				t.Errorf("the next good question: %v, %v, %v", a, ours, err)
			}
		})
	}
	if a, err := r.Lookup(t.Context(), "ledger"); err != nil || len(a.Addrs) != 1 {
		t.Errorf("after all, ledger is at %v, %v", a.Addrs, err)
	}
}
