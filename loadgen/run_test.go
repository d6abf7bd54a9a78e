package loadgen_test

import (
	"context"
	"errors"
	"net"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"breakbank/loadgen"
	"breakbank/loadgen/recording"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	bankv1 "breakbank/proto/bank/v1"
)

// soon is when a load starts: late enough for the connections to be up.
func soon() time.Time { return time.Now().Add(100 * time.Millisecond) }

// run offers a schedule and returns the records in order. Each arrival must
// have exactly one.
func run(t *testing.T, r loadgen.Runner, s *loadgen.Schedule, start time.Time) ([]loadgen.Record, loadgen.Summary) {
	t.Helper()
	recorder := recording.New(2 * len(s.Arrivals))
	summary, err := r.Run(t.Context(), s, start, recorder)
	if err != nil {
		t.Fatal(err)
	}
	records := recorder.Records()
	checkAccounts(t, s, records, summary)
	return records, summary
}

func checkAccounts(t *testing.T, s *loadgen.Schedule, records []loadgen.Record, summary loadgen.Summary) {
	t.Helper()
	if n := summary.Sent + summary.Dropped + summary.Late; n != len(records) || n > summary.Scheduled {
		t.Fatalf("%d records for %+v", len(records), summary)
	}
	if !summary.Interrupted && len(records) != len(s.Arrivals) {
		t.Fatalf("%d records for %d arrivals", len(records), len(s.Arrivals))
	}
	seen := map[int]bool{}
	for _, r := range records {
		a := s.Arrivals[r.Seq]
		if seen[r.Seq] || r.Journey != a.Journey || r.Customer != int(a.Customer) || r.Key != s.Key(r.Seq) {
			t.Fatalf("record %+v of arrival %+v", r, a)
		}
		seen[r.Seq] = true
		if r.Outcome < loadgen.OK || r.Outcome > loadgen.Unknown || r.DoneNs < r.SentNs || r.Sent() && r.SentNs < r.IntendedNs {
			t.Fatalf("record %+v", r)
		}
	}
}

func taps(t *testing.T, perS float64, lasts time.Duration) *loadgen.Schedule {
	return draw(t, loadgen.Plan{Seed: 1, Pacer: loadgen.Constant{PerS: perS}, Duration: lasts, Mix: loadgen.Only(loadgen.CardTap)})
}

func TestEveryJourneyAgainstASoundBank(t *testing.T) {
	b := openBank(t)
	s := draw(t, loadgen.Plan{Seed: 1, Pacer: loadgen.Poisson{PerS: 400}, Duration: time.Second})
	origin := time.Now().Add(-time.Minute)
	records, summary := run(t, loadgen.Runner{Targets: b.targets, Origin: origin}, s, soon())
	if summary.Sent != len(records) || summary.MaxInFlight != 400*15*12/10 {
		t.Errorf("%+v", summary)
	}
	var seen [loadgen.JourneyCount]int
	for _, r := range records {
		seen[r.Journey]++
		if r.Outcome != loadgen.OK || r.Route != "stale" || r.RouteAgeMs != 1500 || r.Attempts != 3 {
			t.Fatalf("%+v", r)
		}
		if r.IntendedNs < 60e9 || r.IntendedNs > 62e9 {
			t.Fatalf("a minute after the origin, %+v", r)
		}
	}
	if slices.Contains(seen[:], 0) {
		t.Fatalf("journeys seen: %v", seen)
	}
	if len(b.requests) != len(records) {
		t.Errorf("%d requests came for %d records", len(b.requests), len(records))
	}
	who := map[string]int{}
	for i, c := range s.Customers {
		for _, identity := range []string{c.ID, c.Account, c.CardNumber, c.PrepaidNumber} {
			who[identity] = i
		}
	}
	for _, r := range b.requests {
		customer, known := who[r.identity]
		if !known || r.zone != customer%3 || r.named != r.edge || r.left <= 0 || r.left > 15*time.Second {
			t.Fatalf("customer %d: %+v", customer, r)
		}
	}
}

func TestOutcomesOfTheCardNetwork(t *testing.T) {
	b := openBank(t)
	b.authorise = func(r *bankv1.AuthoriseRequest) *bankv1.AuthoriseResponse {
		if strings.HasPrefix(r.GetCardNumber(), "535521") {
			return &bankv1.AuthoriseResponse{ResponseCode: "51", DecidedBy: "prepaid"}
		}
		return &bankv1.AuthoriseResponse{ResponseCode: "00", DecidedBy: "standin"}
	}
	mix := loadgen.Mix{loadgen.CardTap: 1, loadgen.PrepaidTap: 1}
	s := draw(t, loadgen.Plan{Seed: 1, Pacer: loadgen.Constant{PerS: 400}, Duration: 100 * time.Millisecond, Mix: mix})
	records, _ := run(t, loadgen.Runner{Targets: b.targets}, s, soon())
	for _, r := range records {
		want := map[loadgen.Journey]loadgen.Outcome{loadgen.CardTap: loadgen.Degraded, loadgen.PrepaidTap: loadgen.Declined}[r.Journey]
		if r.Outcome != want || r.Standin != (want == loadgen.Degraded) {
			t.Fatalf("%+v", r)
		}
	}
}

// TestAStalledBankDoesNotSlowTheLoad: the bank answers nobody until everybody
// has come. A generator that waits for answers would never finish.
func TestAStalledBankDoesNotSlowTheLoad(t *testing.T) {
	b := openBank(t)
	s := draw(t, loadgen.Plan{Seed: 1, Pacer: loadgen.Poisson{PerS: 400}, Duration: 500 * time.Millisecond})
	var everybody sync.WaitGroup
	everybody.Add(len(s.Arrivals))
	b.enter = func(context.Context, request) error {
		everybody.Done()
		everybody.Wait()
		return nil
	}
	records, summary := run(t, loadgen.Runner{Targets: b.targets}, s, soon())
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
	b := openBank(t)
	s := taps(t, 400, 100*time.Millisecond)
	const limit = 10
	dropped := make(chan struct{}, len(s.Arrivals))
	allDropped := make(chan struct{})
	b.enter = func(context.Context, request) error {
		<-allDropped
		return nil
	}
	var watcher sync.WaitGroup
	watcher.Go(func() {
		for range len(s.Arrivals) - limit {
			<-dropped
		}
		close(allDropped)
	})
	recorder := recording.New(len(s.Arrivals))
	sink := loadgen.Tee(recorder, loadgen.SinkFunc(func(r *loadgen.Record) {
		if r.Code == loadgen.CodeDropped {
			dropped <- struct{}{}
		}
	}))
	r := loadgen.Runner{Targets: b.targets, MaxInFlight: limit}
	summary, err := r.Run(t.Context(), s, soon(), sink)
	if err != nil {
		t.Fatal(err)
	}
	watcher.Wait()
	checkAccounts(t, s, recorder.Records(), summary)
	if summary.Sent != limit || summary.Dropped != len(s.Arrivals)-limit || summary.PeakInFlight != limit {
		t.Errorf("%+v", summary)
	}
	for i, r := range recorder.Records() {
		if i >= limit && (r.Outcome != loadgen.Failed || r.Code != loadgen.CodeDropped || r.Sent()) {
			t.Errorf("%+v", r)
		}
	}
}

// TestPatienceCountsFromTheIntendedTime starts a load that is 3 s late: what is
// left of a tap's 5 s is 2, in which it also has to connect, and 3 s later
// nothing. Counted from its sending it would give up after 8 s.
func TestPatienceCountsFromTheIntendedTime(t *testing.T) {
	b := openBank(t)
	b.enter = func(ctx context.Context, _ request) error {
		<-ctx.Done()
		return ctx.Err()
	}
	s := taps(t, 100, 40*time.Millisecond)
	records, _ := run(t, loadgen.Runner{Targets: b.targets}, s, time.Now().Add(-3*time.Second))
	for _, r := range records {
		if r.Outcome != loadgen.Unknown || r.Code != "DEADLINE_EXCEEDED" {
			t.Errorf("%+v", r)
		}
		if response := time.Duration(r.DoneNs - r.IntendedNs); response < 4900*time.Millisecond || response > 7500*time.Millisecond {
			t.Errorf("gave up after %v, want 5 s", response)
		}
	}
	records, summary := run(t, loadgen.Runner{Targets: b.targets}, s, time.Now().Add(-6*time.Second))
	if summary.Late != len(records) || summary.Sent != 0 {
		t.Errorf("%+v", summary)
	}
	for _, r := range records {
		if r.Outcome != loadgen.Failed || r.Code != loadgen.CodeLate || r.Sent() {
			t.Errorf("%+v", r)
		}
	}
}

func TestReadsOutOfPatienceFail(t *testing.T) {
	b := openBank(t)
	b.enter = func(ctx context.Context, _ request) error {
		<-ctx.Done()
		return ctx.Err()
	}
	mix := loadgen.Mix{loadgen.AppRefresh: 1, loadgen.TransferOut: 1}
	s := draw(t, loadgen.Plan{Seed: 1, Pacer: loadgen.Constant{PerS: 200}, Duration: 50 * time.Millisecond, Mix: mix})
	records, _ := run(t, loadgen.Runner{Targets: b.targets}, s, time.Now().Add(-9900*time.Millisecond))
	for _, r := range records {
		want := loadgen.Failed
		if loadgen.Journeys[r.Journey].Write {
			want = loadgen.Unknown
		}
		if r.Outcome != want || r.Code != "DEADLINE_EXCEEDED" {
			t.Errorf("%+v", r)
		}
	}
}

func TestWhereNobodyListensNothingWasExecuted(t *testing.T) {
	var dead loadgen.Targets
	for range 3 {
		l := listen(t, "127.0.0.1:0")
		addr := []string{l.Addr().String()}
		l.Close()
		dead.CardNet, dead.FPS, dead.Gateway = append(dead.CardNet, addr...), append(dead.FPS, addr...), append(dead.Gateway, addr...)
	}
	s := draw(t, loadgen.Plan{Seed: 1, Pacer: loadgen.Poisson{PerS: 300}, Duration: 300 * time.Millisecond})
	records, _ := run(t, loadgen.Runner{Targets: dead}, s, soon())
	for _, r := range records {
		if r.Outcome != loadgen.Failed || r.Code != "UNAVAILABLE" {
			t.Errorf("%+v", r)
		}
		if time.Duration(r.DoneNs-r.SentNs) > time.Second {
			t.Errorf("it did not fail fast: %+v", r)
		}
	}
}

// TestALostConnection kills a card network's server with requests in it: those
// may have been executed. A refusal by a server was not, whatever its cause.
// Once a server is there again, so is the load.
func TestALostConnection(t *testing.T) {
	b := openBank(t)
	l := listen(t, "127.0.0.1:0")
	addr := l.Addr().String()
	targets := loadgen.Targets{CardNet: []string{addr}}
	server := b.startGRPC(t, l, 0)
	s := taps(t, 50, 1200*time.Millisecond)
	refused, killed := make(chan struct{}), make(chan struct{})
	kill := sync.OnceFunc(func() { close(killed) })
	var restart sync.WaitGroup
	restart.Go(func() {
		<-killed
		server.Stop()
		b.startGRPC(t, listenAgain(t, addr), 0)
	})
	b.enter = func(ctx context.Context, r request) error {
		switch r.key {
		case s.Key(0):
			return status.Error(codes.Unavailable, "refused, not executed")
		case s.Key(1):
			select {
			case <-refused: // The answer must not be lost with the connection.
			case <-ctx.Done():
			}
			kill()
			<-ctx.Done()
			return ctx.Err()
		}
		return nil
	}
	recorder := recording.New(len(s.Arrivals))
	sink := loadgen.Tee(recorder, loadgen.SinkFunc(func(r *loadgen.Record) {
		if r.Seq == 0 {
			close(refused)
		}
	}))
	summary, err := (&loadgen.Runner{Targets: targets}).Run(t.Context(), s, soon(), sink)
	if err != nil {
		t.Fatal(err)
	}
	kill() // in case that the request never came
	restart.Wait()
	records := recorder.Records()
	checkAccounts(t, s, records, summary)
	if r := records[0]; r.Outcome != loadgen.Failed || r.Code != "UNAVAILABLE" {
		t.Errorf("refused by the server: %+v", r)
	}
	if r := records[1]; r.Outcome != loadgen.Unknown || r.Code != "UNAVAILABLE" {
		t.Errorf("lost with its connection: %+v", r)
	}
	if r := records[len(records)-1]; r.Outcome != loadgen.OK {
		t.Errorf("after the restart: %+v", r)
	}
}

// listenAgain listens where a server has just stopped.
func listenAgain(t *testing.T, addr string) net.Listener {
	for deadline := time.Now().Add(5 * time.Second); ; {
		l, err := net.Listen("tcp", addr)
		if err == nil {
			return l
		}
		if time.Now().After(deadline) {
			t.Error(err)
			return nil
		}
	}
}

func TestAnInterruptedLoad(t *testing.T) {
	b := openBank(t)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	var once sync.Once
	b.enter = func(ctx context.Context, _ request) error {
		once.Do(cancel)
		<-ctx.Done()
		return ctx.Err()
	}
	s := taps(t, 100, time.Minute)
	recorder := recording.New(len(s.Arrivals))
	r := loadgen.Runner{Targets: b.targets, Grace: 50 * time.Millisecond}
	began := time.Now()
	summary, err := r.Run(ctx, s, soon(), recorder)
	if err != nil {
		t.Fatal(err)
	}
	if took := time.Since(began); took > 3*time.Second {
		t.Errorf("it took %v to stop", took)
	}
	checkAccounts(t, s, recorder.Records(), summary)
	if !summary.Interrupted || summary.Sent == 0 || summary.Scheduled > 100 {
		t.Errorf("%+v", summary)
	}
	for _, r := range recorder.Records() {
		if r.Outcome != loadgen.Unknown || r.Code != "CANCELLED" {
			t.Errorf("cut off by the grace: %+v", r)
		}
	}
}

func TestTargetsThatCannotBeUsed(t *testing.T) {
	s := taps(t, 100, 100*time.Millisecond)
	sink := loadgen.SinkFunc(func(*loadgen.Record) {})
	for want, targets := range map[string]loadgen.Targets{
		"no address is given": {},
		"must be host:port":   {CardNet: []string{"localhost"}},
	} {
		if _, err := loadgen.Run(t.Context(), s, time.Now(), targets, sink); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%+v: %v", targets, err)
		}
	}
	if _, err := loadgen.Run(t.Context(), s, time.Now(), loadgen.Targets{}, nil); err == nil || errors.Is(err, context.Canceled) {
		t.Errorf("without a sink: %v", err)
	}
}
