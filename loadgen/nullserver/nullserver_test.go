package nullserver

import (
	"net"
	"slices"
	"testing"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"
	"go.uber.org/goleak"
	"google.golang.org/grpc/codes"

	"breakbank/loadgen/transport"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// caller makes calls on some connections and keeps how each ended.
type caller struct {
	transport transport.Transport
	ended     chan *transport.Call
}

// Done implements transport.Owner.
func (c *caller) Done(_ *transport.Batch, call *transport.Call) { c.ended <- call }

// serve starts a server and a caller with room for so many calls at once.
func serve(t *testing.T, b Behaviour, since time.Time, connections, calls int) (*Server, *caller) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := Misbehave(l, b, since)
	wire, err := transport.NewWire(transport.Config{Targets: []transport.Target{
		{Name: "null", Addresses: []string{s.Addr()}, Connections: connections},
	}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		wire.Close()
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	if err := wire.Settle(t.Context()); err != nil {
		t.Fatal(err)
	}
	return s, &caller{transport: wire, ended: make(chan *transport.Call, calls)}
}

// call makes calls at once and returns them when all have ended.
func (c *caller) call(t *testing.T, path string, calls int) []*transport.Call {
	t.Helper()
	head := &transport.Head{Path: path}
	request, err := transport.AppendMessage(nil, func(b []byte) ([]byte, error) { return append(b, "hello"...), nil })
	if err != nil {
		t.Fatal(err)
	}
	var b transport.Batch
	for i := range calls {
		c.transport.Begin(&b, &transport.Call{
			Head: head, Turn: i, Request: request, ReplyMax: 100, Owner: c, Deadline: time.Now().Add(time.Minute),
		})
	}
	b.Flush()
	var ended []*transport.Call
	for range calls {
		ended = append(ended, <-c.ended)
	}
	return ended
}

// served is the server's times once it has noted so many, which it does after the
// answers have left.
func served(t *testing.T, s *Server, calls int64) *hdrhistogram.Histogram {
	t.Helper()
	const limit, each = 10 * time.Second, time.Millisecond
	deadline, poll := time.NewTimer(limit), time.NewTicker(each)
	defer deadline.Stop()
	defer poll.Stop()
	for {
		if h := s.Served(); h.TotalCount() == calls {
			return h
		}
		select {
		case <-poll.C:
		case <-deadline.C:
			t.Fatalf("%d calls timed, want %d", s.Served().TotalCount(), calls)
		}
	}
}

func TestAnyMethodIsAnsweredAtOnce(t *testing.T) {
	s, c := serve(t, nil, time.Now(), 2, 100)
	for _, path := range []string{"/grpc.testing.TestService/UnaryCall", "/any.Thing/AtAll"} {
		for _, call := range c.call(t, path, 100) {
			if _, whole := call.ReplyMessage(); call.Fate != transport.Answered || call.Code != codes.OK || !whole || call.Messages != 1 {
				t.Fatalf("%s: %v, %v: %s", path, call.Fate, call.Code, call.Message)
			}
		}
	}
	if s.Calls() != 200 || s.Served().TotalCount() != 0 {
		t.Errorf("%d calls, %d timed", s.Calls(), s.Served().TotalCount())
	}
}

func TestACallInAStallIsAnsweredAtItsEnd(t *testing.T) {
	const length, period = 200 * time.Millisecond, 10 * time.Second
	// The stall has begun, and is not over for a while.
	since := time.Now().Add(-(period - length))
	s, c := serve(t, Stall(length, period), since, 3, 50)
	c.call(t, "/a/B", 50)
	end := since.Add(period)
	if now := time.Now(); now.Before(end) {
		t.Errorf("answered %v before the end of the stall", end.Sub(now))
	}
	if served := served(t, s, 50); served.Min() == 0 {
		t.Error("one took no time")
	}
	begin := time.Now()
	c.call(t, "/a/B", 50)
	if took := time.Since(begin); took > length {
		t.Errorf("after the stall 50 calls took %v", took)
	}
}

func TestBimodalTakesItsTime(t *testing.T) {
	const most, some, calls = 20 * time.Millisecond, 80 * time.Millisecond, 200
	s, c := serve(t, Bimodal(most, some, 10*Percent), time.Now(), 4, calls)
	var took []time.Duration
	head := &transport.Head{Path: "/a/B"}
	done := make(chan struct{})
	go func() {
		defer close(done)
		for range calls {
			call := <-c.ended
			took = append(took, time.Since(call.SentAt))
		}
	}()
	var b transport.Batch
	for i := range calls {
		c.transport.Begin(&b, &transport.Call{Head: head, Turn: i, Owner: c})
	}
	b.Flush()
	<-done
	slices.Sort(took)
	// Nobody is answered before the time, and one in ten only after the longer.
	if took[0] < most || took[calls*9/10] < some {
		t.Errorf("the shortest took %v, the first of the last tenth %v", took[0], took[calls*9/10])
	}
	served := served(t, s, calls)
	if got := time.Duration(served.ValueAtQuantile(50)); got < most*99/100 {
		t.Errorf("the server says that the median took %v", got)
	}
}

func TestEveryHundredthCallFails(t *testing.T) {
	s, c := serve(t, Failing(Percent, codes.Aborted), time.Now(), 4, 1000)
	failed := 0
	for _, call := range c.call(t, "/a/B", 1000) {
		switch call.Code {
		case codes.OK:
		case codes.Aborted:
			failed++
			if call.Fate != transport.Answered || call.Message == "" {
				t.Fatalf("%v: %q", call.Fate, call.Message)
			}
		default:
			t.Fatalf("%v: %s", call.Code, call.Message)
		}
	}
	served(t, s, 1000)
	if failed != 10 {
		t.Errorf("%d of 1000 failed", failed)
	}
}

// TestClosingForgetsWhatIsOwed: nobody waits for answers that are an hour away.
func TestClosingForgetsWhatIsOwed(t *testing.T) {
	s, c := serve(t, Bimodal(time.Hour, time.Hour, Percent), time.Now(), 1, 1)
	var b transport.Batch
	c.transport.Begin(&b, &transport.Call{Head: &transport.Head{Path: "/a/B"}, Owner: c})
	b.Flush()
	for s.Calls() == 0 {
		select {
		case <-c.ended:
			t.Fatal("it was answered")
		default:
		}
	}
	if err := s.Close(); err != nil {
		t.Error(err)
	}
	if call := <-c.ended; call.Fate != transport.Lost {
		t.Errorf("%v: %s", call.Fate, call.Message)
	}
	if err := s.Close(); err != nil {
		t.Errorf("again: %v", err)
	}
}
