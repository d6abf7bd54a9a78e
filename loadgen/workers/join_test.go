package workers

import (
	"context"
	"encoding/json"
	"errors"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
)

// TestWhoCannotJoin: one line says what is wrong, and never what the token is.
func TestWhoCannotJoin(t *testing.T) {
	t.Parallel()
	token := NewToken()
	c := listen(t, Options{Workers: 2, Token: token})
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	ended := run(ctx, c)
	going := make(chan string, 2)
	a := join(t, c.URL(), "a", untilStopped(going))
	eventually(t, "a is there", func() bool { return c.server.NumClients() == 2 })

	// A NATS server of somebody else.
	o := Options{Workers: 1, Listen: "127.0.0.1:0"}
	bare, err := startServer(&o)
	if err != nil {
		t.Fatal(err)
	}
	defer stopServer(bare)
	// Something that is no NATS server, and something that says nothing at all.
	chatty, silent := answering(t, "HTTP/1.1 400 Bad Request\r\n\r\n"), answering(t, "")
	closed := answering(t, "")
	closed.Close()

	attempts := []struct{ name, url, worker, want string }{
		{"no token", c.Address(), "x", "wants a token: nats://TOKEN@" + c.Address()},
		{"another token", makeURL(c.Address(), NewToken()), "x", "does not accept this token"},
		{"a short token", "nats://secret@" + c.Address(), "x", "the token has 6 characters: it needs 16"},
		{"an odd token", "nats://sesame:open;sesame@" + c.Address(), "x", "letters, digits, - and _ only"},
		{"an empty token", "nats://@" + c.Address(), "x", "no token before the @"},
		{"another scheme", "http://" + token + "@" + c.Address(), "x", "another scheme than nats"},
		{"no port", "nats://" + token + "@127.0.0.1", "x", "no host and port"},
		{"several", "nats://" + token + "@127.0.0.1:1,nats://127.0.0.1:2", "x", "another scheme"},
		{"nothing", "", "x", "no host and port"},
		{"the same name", c.URL(), "a", "a worker called a has joined already"},
		{"a bad name", c.URL(), "a/b", "its name must be"},
		{"nobody listens", makeURL(closed.Addr().String(), token), "x", "no coordinator at " + closed.Addr().String() + ": connect: connection refused"},
		{"no such host", "nats://no-such-host.invalid:4222", "x", "no coordinator at no-such-host.invalid:4222: lookup no-such-host.invalid"},
		{"somebody else's NATS", bare.Addr().String(), "x", "nobody coordinates a load there"},
		{"HTTP", makeURL(chatty.Addr().String(), token), "x", "does not answer as a coordinator"},
		{"silence", makeURL(silent.Addr().String(), token), "x", "does not answer as a coordinator"},
	}
	t.Run("", func(t *testing.T) {
		for _, c := range attempts {
			t.Run(c.name, func(t *testing.T) {
				t.Parallel()
				err := Join(t.Context(), c.url, c.worker, atOnce)
				if err == nil || !strings.Contains(err.Error(), c.want) {
					t.Errorf("%v", err)
				}
				for _, secret := range []string{token, "secret", "sesame"} {
					if err != nil && (strings.Contains(err.Error(), secret) || strings.Contains(err.Error(), "\n")) {
						t.Errorf("says too much: %v", err)
					}
				}
			})
		}
	})

	// None of this has kept the run from going on.
	b := join(t, c.URL(), "b", untilStopped(going))
	receive(t, "one goes", going)
	receive(t, "the other goes", going)
	var refused *Refused
	if err := Join(t.Context(), c.URL(), "late", atOnce); !errors.As(err, &refused) || !strings.Contains(err.Error(), "it is late: the load has begun") {
		t.Errorf("a late worker: %v", err)
	}
	cancel()
	for _, j := range []<-chan error{a, b} {
		if err := receive(t, "the end of a worker", j); err != nil {
			t.Error(err)
		}
	}
	if r := receive(t, "the end of the run", ended); r.err != nil {
		t.Error(r.err)
	}
}

// answering accepts connections, and says something on each.
func answering(t *testing.T, text string) net.Listener {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	var conns []net.Conn
	go func() {
		defer close(done)
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			conns = append(conns, conn)
			_, _ = conn.Write([]byte(text)) // Whoever called may have gone.
		}
	}()
	t.Cleanup(func() {
		l.Close()
		<-done
		for _, conn := range conns {
			conn.Close()
		}
	})
	return l
}

// TestOtherVersions: workers of other versions are told in a field that stays.
func TestOtherVersions(t *testing.T) {
	c := listen(t, Options{Workers: 1})
	ctx, cancel := context.WithCancel(t.Context())
	ended := run(ctx, c)
	conn, err := nats.Connect(c.URL())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	for said, want := range map[string]string{
		`{"protocol":2,"id":"whatever","new":[1]}`:                      "it speaks version 2 of the protocol, the coordinator version 1",
		`{"id":"00000000000000000000000000","name":"older"}`:            "it speaks version 0 of the protocol",
		`{"protocol":1,"id":"00000000000000000000000000","name":7}`:     "makes no sense",
		`{"protocol":1,"id":"*","name":"star"}`:                         "makes no sense",
		`{"protocol":1,"id":"0000000000000000000000000.","name":"dot"}`: "makes no sense",
		`nothing`: "makes no sense",
	} {
		m, err := conn.Request(subjectJoin, []byte(said), soon)
		if err != nil {
			t.Fatal(err)
		}
		var answer struct {
			Refused string `json:"refused"`
		}
		if err := json.Unmarshal(m.Data, &answer); err != nil || !strings.Contains(answer.Refused, want) {
			t.Errorf("%s is told %q, %v", said, answer.Refused, err)
		}
	}
	cancel()
	receive(t, "the end of the run", ended)
}

func TestJoiningEndsWithTheContext(t *testing.T) {
	silent := answering(t, "")
	ctx, cancel := context.WithTimeoutCause(t.Context(), 50*time.Millisecond, errors.New("no time"))
	defer cancel()
	began := time.Now()
	if err := Join(ctx, silent.Addr().String(), "", atOnce); err == nil || err.Error() != "no time" || time.Since(began) >= dialWait {
		t.Errorf("%v after %v", err, time.Since(began))
	}
	c := listen(t, Options{Workers: 2})
	// Nobody runs it, so that there is no answer.
	ctx, cancel = context.WithTimeoutCause(t.Context(), 50*time.Millisecond, errors.New("no time"))
	defer cancel()
	if err := Join(ctx, c.URL(), "", atOnce); err == nil || err.Error() != "no time" {
		t.Errorf("%v", err)
	}
}

func TestOptions(t *testing.T) {
	taken := answering(t, "")
	for _, c := range []struct {
		name string
		o    Options
		want string
	}{
		{"no workers", Options{}, "0 workers: there may be 1 to 256"},
		{"too many", Options{Workers: 257}, "257 workers"},
		{"no address", Options{Workers: 1, Listen: "here"}, `listen on "here": an address is host:port`},
		{"no port", Options{Workers: 1, Listen: "127.0.0.1:http"}, "a port is a number"},
		{"a taken port", Options{Workers: 1, Listen: taken.Addr().String()}, "address already in use"},
		{"everywhere without a token", Options{Workers: 1, Listen: "0.0.0.0:0"}, "without a token workers may join on the loopback only"},
		{"all interfaces without a token", Options{Workers: 1, Listen: ":0"}, "without a token workers may join on the loopback only"},
		{"a poor token", Options{Workers: 1, Token: "hunter2"}, "the token has 7 characters"},
		{"a hash as a token", Options{Workers: 1, Token: "$2a$11$abcdefghijklmnopqrstuvwxyz"}, "letters, digits, - and _ only"},
		{"no JSON", Options{Workers: 1, Spec: []byte("{")}, "not JSON"},
		{"a great spec", Options{Workers: 1, Spec: make([]byte, SpecMax+1)}, "workers take"},
		{"no silence", Options{Workers: 1, Silence: time.Millisecond}, "a silence of 1ms says nothing yet: 300ms does"},
		{"a negative time", Options{Workers: 1, Grace: -1}, "a grace of -1ns"},
	} {
		if c.o.Spec == nil {
			c.o.Spec = []byte("{}")
		}
		o, err := Serve(t.Context(), c.o)
		if err == nil || !strings.Contains(err.Error(), c.want) || o != nil {
			t.Errorf("%s: %v", c.name, err)
		}
		if err != nil && c.o.Token != "" && strings.Contains(err.Error(), c.o.Token) {
			t.Errorf("%s: the token is in %v", c.name, err)
		}
	}
}

// TestTheGreatestSpec: it arrives, whatever it is made of.
func TestTheGreatestSpec(t *testing.T) {
	spec := []byte(`"` + strings.Repeat("<", SpecMax-2) + `"`)
	c := listen(t, Options{Workers: 1, Spec: spec})
	ended := run(t.Context(), c)
	got := 0
	if err := receive(t, "the end of the worker", join(t, c.URL(), "a", func(ctx context.Context, job *Job) (Report, error) {
		got = len(job.Spec)
		return atOnce(ctx, job)
	})); err != nil {
		t.Error(err)
	}
	if r := receive(t, "the end of the run", ended); r.err != nil || got != SpecMax {
		t.Errorf("%d bytes, %v", got, r.err)
	}
}

// TestFarTooMany: so many that there is no room even to be refused. What the
// server says then may be lost with the connection.
func TestFarTooMany(t *testing.T) {
	c := listen(t, Options{Workers: 1})
	for range spareConnections { // One is the coordinator's.
		conn, err := nats.Connect(c.URL())
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
	}
	err := Join(t.Context(), c.URL(), "", atOnce)
	var refused *Refused
	if !errors.As(err, &refused) && (err == nil || !strings.Contains(err.Error(), "does not answer as a coordinator")) {
		t.Errorf("%v", err)
	}
}

// TestEverywhereWithAToken: who starts workers here needs an address that works
// here.
func TestEverywhereWithAToken(t *testing.T) {
	c := listen(t, Options{Workers: 1, Listen: ":0", Token: NewToken()})
	ended := run(t.Context(), c)
	if strings.Contains(c.Address(), "@") || !strings.Contains(c.URL(), "@localhost:") {
		t.Errorf("%s", c.Address())
	}
	if err := receive(t, "the end of the worker", join(t, c.URL(), "", atOnce)); err != nil {
		t.Error(err)
	}
	r := receive(t, "the end of the run", ended)
	if r.err != nil {
		t.Fatal(r.err)
	}
	if name := r.outcome.Reports[0].Worker; !validName(name) || !strings.HasSuffix(name, "-1") {
		t.Errorf("a worker without a name is called %q", name)
	}
}
