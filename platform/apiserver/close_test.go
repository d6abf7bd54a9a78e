package apiserver

import (
	"context"
	"errors"
	"net"
	"net/http"
	"sync"
	"testing"

	"breakbank/platform/apiserver/client"
)

// heardListener tells when the first bytes of a request have arrived.
type heardListener struct {
	net.Listener
	once    sync.Once
	arrived chan struct{}
}

func (l *heardListener) Accept() (net.Conn, error) {
	conn, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	return &heardConn{Conn: conn, listener: l}, nil
}

type heardConn struct {
	net.Conn
	listener *heardListener
}

func (c *heardConn) Read(p []byte) (int, error) {
	n, err := c.Conn.Read(p)
	if n > 0 {
		c.listener.once.Do(func() { close(c.listener.arrived) })
	}
	return n, err
}

// A client must not take a write that a closing server gave up for done: it
// gets an error, whether the server is closed or its context ends.
func TestAWriteThatClosingCutsOffIsNoSuccess(t *testing.T) {
	t.Parallel()
	b := newBed(t)
	silent, err := b.ports.Listen() // accepts by backlog, and never answers
	if err != nil {
		t.Fatal(err)
	}
	defer silent.Close()
	end := map[string]func(closed, cancel func()){
		"closed":           func(closed, _ func()) { closed() },
		"its context ends": func(_, cancel func()) { cancel() },
	}
	writes := map[string]func(*client.Client) error{
		"create": func(c *client.Client) error {
			_, err := c.Create(t.Context(), "configmaps", configMapOf("router", "1"))
			return err
		},
		"patch": func(c *client.Client) error {
			_, err := c.MergePatch(t.Context(), "configmaps", "router", []byte(`{}`), "")
			return err
		},
		"delete": func(c *client.Client) error { return c.Delete(t.Context(), "configmaps", "router") },
	}
	for ending, end := range end {
		for name, write := range writes {
			t.Run(name+", "+ending, func(t *testing.T) {
				tcp, err := b.ports.Listen()
				if err != nil {
					t.Fatal(err)
				}
				l := &heardListener{Listener: tcp, arrived: make(chan struct{})}
				ctx, cancel := context.WithCancel(t.Context())
				defer cancel()
				s, err := Start(ctx, Config{
					Name: "apiserver-a", Zone: "a", Listener: l, ReadLimit: patience,
					EtcdEndpoint: func(string) string { return silent.Addr().String() },
				})
				if err != nil {
					t.Fatal(err)
				}
				closed := sync.OnceFunc(func() { b.close(s) })
				defer closed()
				written := make(chan error, 1)
				go func() { written <- write(b.client("http://" + l.Addr().String())) }()
				<-l.arrived
				end(closed, cancel)
				var answer *client.StatusError
				if err := <-written; err == nil {
					t.Error("it counts as done")
				} else if errors.As(err, &answer) && answer.Code < http.StatusInternalServerError {
					t.Errorf("answered %v", err)
				}
			})
		}
	}
}
