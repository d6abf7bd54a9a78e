package transport_test

import (
	"context"
	"testing"
	"time"

	"golang.org/x/net/http2/hpack"
	testpb "google.golang.org/grpc/interop/grpc_testing"
	"google.golang.org/protobuf/proto"

	"breakbank/loadgen/transport"
)

const (
	unary   = "/grpc.testing.TestService/UnaryCall"
	patient = 20 * time.Second
)

// each runs a test of the conformance suite on every transport.
func each(t *testing.T, test func(t *testing.T, name string)) {
	for _, tr := range transport.Transports {
		t.Run(tr.Name, func(t *testing.T) { test(t, tr.Name) })
	}
}

func open(t *testing.T, name string, c transport.Config) transport.Transport {
	t.Helper()
	tr, err := transport.New(name, c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(tr.Close)
	return tr
}

// connect opens a transport to an address and waits until it is connected.
func connect(t *testing.T, name, address string, connections int) transport.Transport {
	t.Helper()
	tr := open(t, name, one(address, connections))
	ctx, cancel := context.WithTimeout(context.Background(), patient)
	defer cancel()
	if err := tr.Settle(ctx); err != nil {
		t.Fatal(err)
	}
	return tr
}

func one(address string, connections int) transport.Config {
	return transport.Config{Targets: []transport.Target{{Name: "test", Addresses: []string{address}, Connections: connections}}}
}

// done is an owner that tells of the end.
type done struct {
	ended chan *transport.Call
}

func newDone() *done { return &done{ended: make(chan *transport.Call, 100_000)} }

// Done implements transport.Owner.
func (d *done) Done(_ *transport.Batch, c *transport.Call) { d.ended <- c }

func (d *done) wait(t *testing.T) *transport.Call {
	t.Helper()
	select {
	case c := <-d.ended:
		return c
	case <-time.After(patient):
		t.Fatal("no end of a call")
		return nil
	}
}

func framed(t testing.TB, messages ...proto.Message) []byte {
	t.Helper()
	var request []byte
	for _, m := range messages {
		var err error
		if request, err = transport.AppendMessage(request, func(b []byte) ([]byte, error) {
			return proto.MarshalOptions{}.MarshalAppend(b, m)
		}); err != nil {
			t.Fatal(err)
		}
	}
	return request
}

func fields(pairs ...string) []hpack.HeaderField {
	var f []hpack.HeaderField
	for i := 0; i < len(pairs); i += 2 {
		f = append(f, hpack.HeaderField{Name: pairs[i], Value: pairs[i+1]})
	}
	return f
}

// ask performs one unary call.
func ask(t *testing.T, tr transport.Transport, c *transport.Call) *transport.Call {
	t.Helper()
	d := newDone()
	c.Owner = d
	if c.Head == nil {
		c.Head = &transport.Head{Path: unary, Authority: "bank"}
	}
	if c.Request == nil {
		c.Request = framed(t, &testpb.SimpleRequest{ResponseSize: 10, Payload: &testpb.Payload{Body: []byte("hello")}})
	}
	if c.Deadline.IsZero() {
		c.Deadline = time.Now().Add(patient)
	}
	var b transport.Batch
	tr.Begin(&b, c)
	b.Flush()
	return d.wait(t)
}
