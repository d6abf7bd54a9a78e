package transport_test

import (
	"net"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/net/http2"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	testpb "google.golang.org/grpc/interop/grpc_testing"

	"breakbank/loadgen/transport"
)

// soon is within what a call must be over that nothing but a mistake of the
// transport keeps.
const soon = 3 * time.Second

// TestAnAnswerBeforeTheEndOfTheRequest: who answers without reading all of the
// request has no more to do with the stream, and the next call has its place.
func TestAnAnswerBeforeTheEndOfTheRequest(t *testing.T) {
	each(t, func(t *testing.T, name string) {
		_, address := serve(t, newService(), "127.0.0.1:0", grpc.MaxConcurrentStreams(1))
		tr := connect(t, name, address, 1)
		d := newDone()
		var b transport.Batch
		large := framed(t, &testpb.SimpleRequest{Payload: &testpb.Payload{Body: make([]byte, 1<<20)}})
		refused := &transport.Call{Head: &transport.Head{Path: "/grpc.testing.TestService/Nothing"}, Request: large}
		next := &transport.Call{Head: &transport.Head{Path: unary}, Request: framed(t, &testpb.SimpleRequest{})}
		for _, c := range []*transport.Call{refused, next} {
			c.Owner, c.Deadline = d, time.Now().Add(soon)
			tr.Begin(&b, c)
		}
		b.Flush()
		want := map[*transport.Call]codes.Code{refused: codes.Unimplemented, next: codes.OK}
		for range want {
			if c := d.wait(t); c.Code != want[c] {
				t.Errorf("code %v %q, want %v", c.Code, c.Message, want[c])
			}
		}
	})
}

// TestLateCallsEndAfterClose: nobody watches the deadlines any more.
func TestLateCallsEndAfterClose(t *testing.T) {
	each(t, func(t *testing.T, name string) {
		_, address := serve(t, newService(), "127.0.0.1:0")
		tr := connect(t, name, address, 1)
		tr.Close()
		d := newDone()
		var b transport.Batch
		tr.Begin(&b, &transport.Call{
			Head: &transport.Head{Path: unary}, Owner: d, Request: framed(t, &testpb.SimpleRequest{}), Deadline: time.Now().Add(-time.Second),
		})
		b.Flush()
		select {
		case c := <-d.ended:
			if c.Fate != transport.Unsent {
				t.Errorf("fate %v", c.Fate)
			}
		case <-time.After(soon):
			t.Fatal("no end of a call")
		}
	})
}

// TestManyWaitForAConnection has more calls wait for it than a connection would
// take that nobody flushes.
func TestManyWaitForAConnection(t *testing.T) {
	l := listen(t, "127.0.0.1:0")
	tr := open(t, "wire", one(l.Addr().String(), 1))
	d := newDone()
	var b transport.Batch
	head, request := &transport.Head{Path: unary}, framed(t, &testpb.SimpleRequest{})
	const calls, said = 6000, 1000
	say := make([]byte, said)
	for i := range calls {
		for k := range say { // a text that the table of headers cannot shorten
			say[k] = "zXqZ{}|~"[(i>>(k%13)+k)%8]
		}
		tr.Begin(&b, &transport.Call{
			Head: head, Owner: d, Request: request, Extra: fields("x-say", string(say)), Deadline: time.Now().Add(patient),
		})
	}
	b.Flush()
	serveOn(t, newService(), l)
	for range calls {
		if c := d.wait(t); c.Code != codes.OK {
			t.Fatalf("code %v %q", c.Code, c.Message)
		}
	}
}

// TestAServerThatHangsUp greets each connection and closes it: it is dialled
// again after a while, not as fast as can be.
func TestAServerThatHangsUp(t *testing.T) {
	// Between two connections there is redialBase, whether the first has held so
	// long or was mourned for so long.
	const connections, leastBetween = 5, 20 * time.Millisecond
	l := listen(t, "127.0.0.1:0")
	accepted, ended := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(ended)
		for n := 1; ; n++ {
			nc, err := l.Accept()
			if err != nil {
				return
			}
			greet(nc)
			nc.Close()
			if n == connections {
				close(accepted)
			}
		}
	}()
	begun := time.Now()
	tr := open(t, "wire", one(l.Addr().String(), 1))
	patience := time.NewTimer(patient)
	defer patience.Stop()
	select {
	case <-accepted:
	case <-patience.C:
		t.Error("it does not connect again and again")
	}
	if took := time.Since(begun); took < (connections-1)*leastBetween {
		t.Errorf("%d connections in %v", connections, took)
	}
	tr.Close()
	l.Close()
	<-ended
}

// greet says what a server says first, once the client has.
func greet(nc net.Conn) {
	buf := make([]byte, 1024)
	_, _ = nc.Read(buf) // whatever: it is closed next
	_ = http2.NewFramer(nc, nil).WriteSettings()
	_, _ = nc.Read(buf) // that the settings have come
}

// TestWhatNeverLeftWasNotSent: a peer that reads nothing has requests wait for
// the socket; what no byte of was offered to it, when the connection is lost, has
// no time of sending.
func TestWhatNeverLeftWasNotSent(t *testing.T) {
	l := listen(t, "127.0.0.1:0")
	conns := make(chan net.Conn, 100)
	go func() {
		for {
			nc, err := l.Accept()
			if err != nil {
				close(conns)
				return
			}
			_ = http2.NewFramer(nc, nil).WriteSettings()
			conns <- nc
		}
	}()
	t.Cleanup(func() {
		l.Close()
		for nc := range conns {
			nc.Close()
		}
	})
	tr := connect(t, "wire", l.Addr().String(), 1)
	d := newDone()
	var b transport.Batch
	head := &transport.Head{Path: unary}
	say := fields("x-say", string(make([]byte, 0, 8000)))
	text := make([]byte, 8000)
	for i := range text {
		text[i] = '~'
	}
	say[0].Value = string(text)
	calls, unsent := 0, 0
	for range 20_000 { // until what waits is too much
		tr.Begin(&b, &transport.Call{Head: head, Owner: d, Extra: say, Deadline: time.Now().Add(patient)})
		b.Flush()
		if calls++; len(d.ended) > 0 {
			break
		}
	}
	tr.Close()
	for range calls {
		if c := d.wait(t); c.Fate == transport.Unsent {
			if unsent++; !c.SentAt.IsZero() {
				t.Fatalf("unsent, and sent at %v: %v %q", c.SentAt, c.Code, c.Message)
			}
		}
	}
	if unsent == 0 {
		t.Errorf("all of %d calls have left", calls)
	}
}

// chain is an owner that begins its call again as soon as it has ended.
type chain struct {
	tr     transport.Transport
	ended  atomic.Int64
	failed atomic.Int64
	over   *atomic.Bool
	last   *sync.WaitGroup
	// enough, if set, is closed when it has been served turnsAwaited times.
	enough chan struct{}
}

// turnsAwaited is how often TestWhoWaitsHasItsTurn has one caller be served. Each
// of the others must have been served half as often.
const turnsAwaited = 500

// Done implements transport.Owner.
func (o *chain) Done(b *transport.Batch, c *transport.Call) {
	if o.ended.Add(1) == turnsAwaited && o.enough != nil {
		close(o.enough)
	}
	if c.Code != codes.OK {
		o.failed.Add(1)
	}
	if o.over.Load() || !c.Reusable() {
		o.last.Done()
		return
	}
	c.Deadline = time.Now().Add(patient)
	o.tr.Begin(b, c)
}

// TestWhoWaitsHasItsTurn has more callers than streams, each of which calls again
// at once: who waits must not be passed over by those who were just served.
func TestWhoWaitsHasItsTurn(t *testing.T) {
	_, address := serve(t, newService(), "127.0.0.1:0", grpc.MaxConcurrentStreams(2))
	tr := connect(t, "wire", address, 1)
	head, request := &transport.Head{Path: unary}, framed(t, &testpb.SimpleRequest{})
	var over atomic.Bool
	var last sync.WaitGroup
	chains := make([]*chain, 8)
	enough := make(chan struct{})
	var b transport.Batch
	for i := range chains {
		last.Add(1)
		chains[i] = &chain{tr: tr, over: &over, last: &last}
		if i == 0 {
			chains[i].enough = enough
		}
		tr.Begin(&b, &transport.Call{Head: head, Request: request, Owner: chains[i], Deadline: time.Now().Add(patient)})
	}
	b.Flush()
	patience := time.NewTimer(patient)
	defer patience.Stop()
	select {
	case <-enough:
	case <-patience.C:
	}
	over.Store(true)
	last.Wait()
	for i, o := range chains {
		if n := o.ended.Load(); n < turnsAwaited/2 || o.failed.Load() > 0 {
			t.Errorf("caller %d was served %d times, caller 0 %d times; %d failed", i, n, chains[0].ended.Load(), o.failed.Load())
		}
	}
}

// TestAnAnswerThatIsTooLongIsLeft: a server that goes on with it is told, though
// the call has no deadline.
func TestAnAnswerThatIsTooLongIsLeft(t *testing.T) {
	server, address := serve(t, newService(), "127.0.0.1:0")
	tr := connect(t, "grpc-go", address, 1)
	request := &testpb.StreamingOutputCallRequest{}
	for range 100 {
		request.ResponseParameters = append(request.ResponseParameters, &testpb.ResponseParameters{Size: 100_000})
	}
	d := newDone()
	var b transport.Batch
	tr.Begin(&b, &transport.Call{
		Head:  &transport.Head{Path: "/grpc.testing.TestService/StreamingOutputCall"},
		Owner: d, Request: framed(t, request), ReplyMax: 1,
	})
	b.Flush()
	if c := d.wait(t); c.Fate != transport.Lost || c.Code != codes.ResourceExhausted {
		t.Errorf("fate %v, code %v %q", c.Fate, c.Code, c.Message)
	}
	stopped := make(chan struct{})
	go func() {
		defer close(stopped)
		server.GracefulStop()
	}()
	select {
	case <-stopped:
	case <-time.After(soon):
		t.Error("the server is still at it")
	}
}
