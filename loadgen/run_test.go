package loadgen_test

import (
	"context"
	"errors"
	"net"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"breakbank/loadgen"
	"breakbank/loadgen/pacer"
	"breakbank/loadgen/transport"

	"golang.org/x/net/http2/hpack"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	testpb "google.golang.org/grpc/interop/grpc_testing"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
)

// helpful is a server that does as a test says.
type helpful struct {
	testpb.UnimplementedTestServiceServer
	// enter, if set, sees each call, and may hold it or refuse it.
	enter func(ctx context.Context) error
}

func (h *helpful) EmptyCall(ctx context.Context, _ *testpb.Empty) (*testpb.Empty, error) {
	_ = grpc.SetTrailer(ctx, metadata.Pairs("bb-route", "stale", "bb-route-age-ms", "1500", "bb-attempts", "3"))
	if h.enter != nil {
		if err := h.enter(ctx); err != nil {
			return nil, err
		}
	}
	return &testpb.Empty{}, nil
}

func listen(t *testing.T, address string) net.Listener {
	t.Helper()
	l, err := net.Listen("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	return l
}

// serve serves until the test ends, or until the returned server is stopped.
func (h *helpful) serve(t *testing.T, l net.Listener) *grpc.Server {
	s := grpc.NewServer()
	testpb.RegisterTestServiceServer(s, h)
	var served sync.WaitGroup
	served.Go(func() { _ = s.Serve(l) })
	t.Cleanup(func() {
		s.Stop()
		served.Wait()
	})
	return s
}

// connect makes a transport to an address, with each connection made or failed.
func connect(t *testing.T, address string) transport.Transport {
	t.Helper()
	w, err := transport.NewWire(transport.Config{Targets: []transport.Target{{Name: "helpful", Addresses: []string{address}, Connections: 2}}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(w.Close)
	_ = w.Settle(t.Context())
	return w
}

// open serves and connects.
func (h *helpful) open(t *testing.T) transport.Transport {
	l := listen(t, "127.0.0.1:0")
	h.serve(t, l)
	return connect(t, l.Addr().String())
}

var helpfulHead = transport.Head{Path: testpb.TestService_EmptyCall_FullMethodName, Authority: "helpful"}

// asking is a step that asks the helpful server.
var asking = loadgen.Step{
	Build: func(_ *loadgen.Visit, c *transport.Call) error {
		c.Head = &helpfulHead
		b, err := transport.AppendMessage(c.Buffer(), func(b []byte) ([]byte, error) { return b, nil })
		c.SetRequest(b)
		return err
	},
	Judge: judge,
}

// asks is a table of a write, a read, and one who asks three times.
func asks(patience time.Duration) []loadgen.JourneySpec {
	key := func(_ *loadgen.Schedule, seq, _ int) string { return string(rune('a' + seq%26)) }
	return []loadgen.JourneySpec{
		{Name: "write", Weight: 2, Patience: patience, Write: true, Steps: []loadgen.Step{asking}, Key: key},
		{Name: "read", Weight: 2, Patience: patience, Steps: []loadgen.Step{asking}},
		{Name: "session", Weight: 1, Patience: patience, Steps: []loadgen.Step{asking, asking, asking}},
	}
}

// only is the first journeys of asks.
func only(n int, patience time.Duration) []loadgen.JourneySpec { return asks(patience)[:n] }

func schedule(t *testing.T, perS float64, lasts time.Duration, journeys []loadgen.JourneySpec) *loadgen.Schedule {
	t.Helper()
	return drawn(t, loadgen.Plan{
		Seed: 1, Load: "some", Pacer: pacer.Constant{PerS: perS}, Duration: lasts, Journeys: journeys, Population: crowd{n: 50},
	})
}

// book keeps records by their numbers.
type book struct {
	mu      sync.Mutex
	records map[int]loadgen.Record
	twice   []int
}

func (b *book) Record(r *loadgen.Record) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.records == nil {
		b.records = map[int]loadgen.Record{}
	}
	if _, twice := b.records[r.Seq]; twice {
		b.twice = append(b.twice, r.Seq)
	}
	b.records[r.Seq] = *r
}

// run performs a schedule and returns its records. Each arrival must have
// exactly one that agrees with it.
func run(t *testing.T, ctx context.Context, r loadgen.Runner, s *loadgen.Schedule, start time.Time, tell ...loadgen.Sink) (map[int]loadgen.Record, loadgen.Summary) {
	t.Helper()
	var b book
	summary, err := r.Run(ctx, s, start, loadgen.Tee(append([]loadgen.Sink{&b}, tell...)...))
	if err != nil {
		t.Fatal(err)
	}
	if len(b.twice) > 0 {
		t.Fatalf("recorded twice: %v", b.twice)
	}
	n := summary.Sent + summary.Dropped + summary.Late + summary.Unsent
	if n != len(b.records) || n > summary.Scheduled || !summary.Interrupted && n != len(s.Arrivals) {
		t.Fatalf("%d records of %d arrivals for %+v", len(b.records), len(s.Arrivals), summary)
	}
	for seq, r := range b.records {
		a := s.Arrivals[seq]
		key := ""
		if s.Journeys[a.Journey].Key != nil {
			key = s.Journeys[a.Journey].Key(s, seq, 0)
		}
		if r.Load != s.Load || r.Journey != a.Journey || r.Name != s.Journeys[a.Journey].Name || r.Customer != int(a.Customer) || r.Key != key {
			t.Fatalf("record %+v of arrival %+v", r, a)
		}
		if r.Outcome < loadgen.OK || r.Outcome > loadgen.Unknown || r.DoneNs < r.SentNs || r.Sent() && r.SentNs < r.IntendedNs {
			t.Fatalf("record %+v", r)
		}
		if r.Sent() && summary.SentNs[seq] != r.SentNs {
			t.Fatalf("sent at %d by the summary, at %d by the record", summary.SentNs[seq], r.SentNs)
		}
	}
	return b.records, summary
}

func TestEveryJourneyIsPerformedOnce(t *testing.T) {
	h := &helpful{}
	s := schedule(t, 400, 500*time.Millisecond, asks(5*time.Second))
	tr, start := h.open(t), time.Now()
	records, summary := run(t, t.Context(), loadgen.Runner{Transport: tr, Origin: start.Add(-time.Minute)}, s, start)
	if summary.Sent != len(records) || summary.MaxInFlight != 400*15*12/10 || summary.Interrupted {
		t.Errorf("%+v", summary)
	}
	var seen [3]int
	for _, r := range records {
		seen[r.Journey]++
		steps := len(s.Journeys[r.Journey].Steps)
		if r.Outcome != loadgen.OK || r.Code != "OK" || r.Route != "stale" || r.RouteAgeMs != 1500 || r.Attempts != 3*steps {
			t.Fatalf("%+v", r)
		}
		if r.IntendedNs < 60e9 || r.IntendedNs > 60e9+s.Duration.Nanoseconds() {
			t.Fatalf("a minute after the origin, %+v", r)
		}
	}
	if slices.Contains(seen[:], 0) {
		t.Fatalf("journeys seen: %v", seen)
	}
}

// TestAStalledServerDoesNotSlowTheLoad: the server answers nobody until
// everybody has come. A generator that waits for answers would never finish.
func TestAStalledServerDoesNotSlowTheLoad(t *testing.T) {
	s := schedule(t, 400, 500*time.Millisecond, only(2, 15*time.Second))
	var everybody sync.WaitGroup
	everybody.Add(len(s.Arrivals))
	h := &helpful{enter: func(context.Context) error {
		everybody.Done()
		everybody.Wait()
		return nil
	}}
	records, summary := run(t, t.Context(), loadgen.Runner{Transport: h.open(t)}, s, time.Now())
	if summary.PeakInFlight != len(s.Arrivals) {
		t.Errorf("%d of %d were in flight at once", summary.PeakInFlight, len(s.Arrivals))
	}
	last := s.Arrivals[len(s.Arrivals)-1].At.Nanoseconds()
	for _, r := range records {
		if r.Outcome != loadgen.OK || r.DoneNs < last {
			t.Fatalf("%+v", r)
		}
	}
}

func TestTheCapDrops(t *testing.T) {
	const limit = 10
	s := schedule(t, 400, 100*time.Millisecond, only(1, 15*time.Second))
	dropped, allDropped := make(chan struct{}, len(s.Arrivals)), make(chan struct{})
	h := &helpful{enter: func(context.Context) error {
		<-allDropped
		return nil
	}}
	var watcher sync.WaitGroup
	watcher.Go(func() {
		for range len(s.Arrivals) - limit {
			<-dropped
		}
		close(allDropped)
	})
	records, summary := run(t, t.Context(), loadgen.Runner{Transport: h.open(t), MaxInFlight: limit}, s, time.Now(),
		loadgen.SinkFunc(func(r *loadgen.Record) {
			if r.Code == loadgen.CodeDropped {
				dropped <- struct{}{}
			}
		}))
	watcher.Wait()
	if summary.Sent != limit || summary.Dropped != len(s.Arrivals)-limit || summary.PeakInFlight != limit {
		t.Errorf("%+v", summary)
	}
	for seq, r := range records {
		if wasDropped := r.Outcome == loadgen.Failed && r.Code == loadgen.CodeDropped && !r.Sent(); wasDropped != (seq >= limit) {
			t.Errorf("%+v", r)
		}
	}
}

// TestPatienceCountsFromTheIntendedTime starts loads that are late: what is left
// of a patience of 3 s is one second, and then nothing. Counted from its sending
// it would be given up 2 s later.
func TestPatienceCountsFromTheIntendedTime(t *testing.T) {
	const patience, late = 3 * time.Second, 2 * time.Second
	h := &helpful{enter: func(ctx context.Context) error {
		<-ctx.Done()
		return ctx.Err()
	}}
	tr := h.open(t)
	s := schedule(t, 200, 50*time.Millisecond, only(2, patience))
	records, _ := run(t, t.Context(), loadgen.Runner{Transport: tr}, s, time.Now().Add(-late))
	for _, r := range records {
		// A write may have happened; a read has failed.
		want := map[loadgen.Journey]loadgen.Outcome{0: loadgen.Unknown, 1: loadgen.Failed}[r.Journey]
		if r.Outcome != want || r.Code != "DEADLINE_EXCEEDED" {
			t.Errorf("%+v", r)
		}
		if response := time.Duration(r.DoneNs - r.IntendedNs); response < patience || response > patience+late {
			t.Errorf("gave up after %v, want %v", response, patience)
		}
	}
	records, summary := run(t, t.Context(), loadgen.Runner{Transport: tr}, s, time.Now().Add(-2*patience))
	if summary.Late != len(records) || summary.Sent != 0 {
		t.Errorf("%+v", summary)
	}
	for _, r := range records {
		if r.Outcome != loadgen.Failed || r.Code != loadgen.CodeLate || r.Sent() {
			t.Errorf("%+v", r)
		}
	}
}

func TestWhereNobodyListensNothingIsSent(t *testing.T) {
	l := listen(t, "127.0.0.1:0")
	address := l.Addr().String()
	l.Close()
	records, summary := run(t, t.Context(), loadgen.Runner{Transport: connect(t, address)}, schedule(t, 300, 200*time.Millisecond, asks(5*time.Second)), time.Now())
	if summary.Unsent != len(records) || summary.Sent != 0 {
		t.Errorf("%+v", summary)
	}
	for _, r := range records {
		if r.Outcome != loadgen.Failed || r.Code != "UNAVAILABLE" || r.Sent() || !strings.Contains(r.Err, "refused") {
			t.Errorf("%+v", r)
		}
		if time.Duration(r.DoneNs-r.IntendedNs) > time.Second {
			t.Errorf("it did not fail fast: %+v", r)
		}
	}
}

// TestASessionThatBreaksOff: what a session's end leaves in doubt depends on
// whether it had begun to write, not on the step at which it broke off.
func TestASessionThatBreaksOff(t *testing.T) {
	h := &helpful{}
	live, dead := listen(t, "127.0.0.1:0"), listen(t, "127.0.0.1:0")
	h.serve(t, live)
	dead.Close()
	w, err := transport.NewWire(transport.Config{Targets: []transport.Target{
		{Name: "half dead", Addresses: []string{live.Addr().String(), dead.Addr().String()}},
	}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(w.Close)
	_ = w.Settle(t.Context())
	at := func(shard int, looks bool) loadgen.Step {
		return loadgen.Step{Looks: looks, Judge: judge, Build: func(v *loadgen.Visit, c *transport.Call) error {
			c.Shard = shard
			return asking.Build(v, c)
		}}
	}
	unbuilt := loadgen.Step{Looks: true, Judge: judge, Build: func(*loadgen.Visit, *transport.Call) error { return errors.New("no words") }}
	for name, c := range map[string]struct {
		steps []loadgen.Step
		want  loadgen.Outcome
		code  string
	}{
		"nothing was reached":            {[]loadgen.Step{at(1, false)}, loadgen.Failed, "UNAVAILABLE"},
		"the write was not sent":         {[]loadgen.Step{at(0, true), at(1, false)}, loadgen.Failed, "UNAVAILABLE"},
		"only looks":                     {[]loadgen.Step{at(0, true), at(1, true)}, loadgen.Failed, "UNAVAILABLE"},
		"the write was answered":         {[]loadgen.Step{at(0, false), at(1, true)}, loadgen.Unknown, "UNAVAILABLE"},
		"the look could not be built":    {[]loadgen.Step{at(0, true), unbuilt}, loadgen.Failed, loadgen.CodeUnbuilt},
		"nor that which was after write": {[]loadgen.Step{at(0, false), unbuilt}, loadgen.Unknown, loadgen.CodeUnbuilt},
		"all went well":                  {[]loadgen.Step{at(0, true), at(0, false), at(0, true)}, loadgen.OK, "OK"},
	} {
		journeys := []loadgen.JourneySpec{{Name: "session", Weight: 1, Patience: 5 * time.Second, Write: true, Steps: c.steps}}
		records, _ := run(t, t.Context(), loadgen.Runner{Transport: w}, schedule(t, 50, 50*time.Millisecond, journeys), time.Now())
		for _, r := range records {
			if r.Outcome != c.want || r.Code != c.code {
				t.Errorf("%s: %+v, want %v, %s", name, r, c.want, c.code)
			}
		}
	}
}

// seqHeader tells the server which arrival asks: of two that are due together,
// either may come first.
const seqHeader = "x-seq"

// askingBySeq is asking, and says which arrival it is.
var askingBySeq = loadgen.Step{
	Build: func(v *loadgen.Visit, c *transport.Call) error {
		c.Extra = []hpack.HeaderField{{Name: seqHeader, Value: strconv.Itoa(v.Seq)}}
		return asking.Build(v, c)
	},
	Judge: judge,
}

// seqOf is the arrival that asks; -1 if it does not say.
func seqOf(ctx context.Context) int {
	for _, value := range metadata.ValueFromIncomingContext(ctx, seqHeader) {
		if seq, err := strconv.Atoi(value); err == nil {
			return seq
		}
	}
	return -1
}

// TestALostConnection stops a server with a request in it, which may have been
// executed. One that a server refused was not. Once a server is there again, so
// is the load, which lasts until then.
func TestALostConnection(t *testing.T) {
	l := listen(t, "127.0.0.1:0")
	address := l.Addr().String()
	answered, killed := make(chan struct{}), make(chan struct{})
	kill := sync.OnceFunc(func() { close(killed) })
	before := &helpful{enter: func(ctx context.Context) error {
		switch seqOf(ctx) {
		case 0:
			return status.Error(codes.Unavailable, "refused, not executed")
		case 1:
			select {
			case <-answered: // The answer must not be lost with the connection.
			case <-ctx.Done():
			}
			kill()
			<-ctx.Done()
			return ctx.Err()
		}
		return nil
	}}
	ctx, finish := context.WithCancel(t.Context())
	defer finish()
	var first atomic.Int64 // of those who reached the server that is there again
	after := &helpful{enter: func(ctx context.Context) error {
		first.CompareAndSwap(0, int64(seqOf(ctx)))
		finish()
		return nil
	}}
	server := before.serve(t, l)
	var restart sync.WaitGroup
	restart.Go(func() {
		<-killed
		server.Stop()
		after.serve(t, listenAgain(t, address))
	})
	journeys := only(1, 5*time.Second)
	journeys[0].Steps = []loadgen.Step{askingBySeq}
	s := schedule(t, 50, time.Minute, journeys)
	records, _ := run(t, ctx, loadgen.Runner{Transport: connect(t, address)}, s, time.Now(),
		loadgen.SinkFunc(func(r *loadgen.Record) {
			if r.Seq == 0 {
				close(answered)
			}
		}))
	kill() // in case that the request never came
	restart.Wait()
	if r := records[0]; r.Outcome != loadgen.Failed || r.Code != "UNAVAILABLE" {
		t.Errorf("refused by the server: %+v", r)
	}
	if r := records[1]; r.Outcome != loadgen.Unknown || r.Code != loadgen.CodeLost || !r.Sent() {
		t.Errorf("lost with its connection: %+v", r)
	}
	if r := records[int(first.Load())]; r.Seq < 2 || r.Outcome != loadgen.OK {
		t.Errorf("after the restart: %+v", r)
	}
}

// listenAgain listens where a server has just stopped.
func listenAgain(t *testing.T, address string) net.Listener {
	for deadline := time.Now().Add(5 * time.Second); ; {
		l, err := net.Listen("tcp", address)
		if err == nil || time.Now().After(deadline) {
			if err != nil {
				t.Error(err)
			}
			return l
		}
	}
}

// TestAnInterruptedLoad begins nothing more, and gives what is in flight up
// after its grace.
func TestAnInterruptedLoad(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	h := &helpful{enter: func(ctx context.Context) error {
		cancel()
		<-ctx.Done()
		return ctx.Err()
	}}
	s := schedule(t, 100, time.Minute, only(1, 15*time.Second))
	r := loadgen.Runner{Transport: h.open(t), Grace: 50 * time.Millisecond}
	began := time.Now()
	records, summary := run(t, ctx, r, s, time.Now())
	if took := time.Since(began); took > 3*time.Second {
		t.Errorf("it took %v to stop", took)
	}
	if !summary.Interrupted || summary.Sent == 0 || summary.Scheduled > 100 {
		t.Errorf("%+v", summary)
	}
	for _, r := range records {
		if r.Outcome != loadgen.Unknown || r.Code != "DEADLINE_EXCEEDED" {
			t.Errorf("cut off by the grace: %+v", r)
		}
	}
}

func TestRunnersThatCannotRun(t *testing.T) {
	h := &helpful{}
	tr := h.open(t)
	s := schedule(t, 100, 100*time.Millisecond, asks(time.Second))
	empty := schedule(t, 1, 100*time.Millisecond, asks(time.Second))
	sink := loadgen.SinkFunc(func(*loadgen.Record) {})
	for want, c := range map[string]struct {
		runner   loadgen.Runner
		schedule *loadgen.Schedule
		sink     loadgen.Sink
	}{
		"no sink":             {loadgen.Runner{Transport: tr}, s, nil},
		"no transport":        {loadgen.Runner{}, s, sink},
		"part 2 of 2":         {loadgen.Runner{Transport: tr, Part: 2, Parts: 2}, s, sink},
		"part 0 of -1":        {loadgen.Runner{Transport: tr, Parts: -1}, s, sink},
		"a closed loop of -1": {loadgen.Runner{Transport: tr, Closed: -1}, s, sink},
		"over 0 arrivals":     {loadgen.Runner{Transport: tr, Closed: 1}, empty, sink},
	} {
		if _, err := c.runner.Run(t.Context(), c.schedule, time.Now(), c.sink); err == nil || !strings.Contains(err.Error(), want) || errors.Is(err, context.Canceled) {
			t.Errorf("got %v, want an error with %q", err, want)
		}
	}
}
