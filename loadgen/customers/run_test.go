package customers_test

import (
	"cmp"
	"context"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"breakbank/loadgen"
	"breakbank/loadgen/customers"
	"breakbank/loadgen/pacer"
	"breakbank/loadgen/transport"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	bankv1 "breakbank/proto/bank/v1"
)

// connect makes a transport to the targets, with each connection made or failed.
func connect(t *testing.T, targets customers.Targets) transport.Transport {
	t.Helper()
	w, err := transport.NewWire(targets.Config())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(w.Close)
	_ = w.Settle(t.Context())
	return w
}

// run offers a schedule and returns the records in order. Each arrival must
// have exactly one, beside its retries.
func run(t *testing.T, r loadgen.Runner, s *loadgen.Schedule, start time.Time) ([]loadgen.Record, loadgen.Summary) {
	t.Helper()
	var mu sync.Mutex
	var records []loadgen.Record
	summary, err := r.Run(t.Context(), s, start, loadgen.SinkFunc(func(r *loadgen.Record) {
		mu.Lock()
		defer mu.Unlock()
		records = append(records, *r)
	}))
	if err != nil {
		t.Fatal(err)
	}
	slices.SortFunc(records, func(a, b loadgen.Record) int {
		return cmp.Or(cmp.Compare(a.Seq, b.Seq), cmp.Compare(a.Retry, b.Retry))
	})
	if len(records) != len(s.Arrivals)+summary.Retries {
		t.Fatalf("%d records of %d arrivals and %d retries", len(records), len(s.Arrivals), summary.Retries)
	}
	for _, r := range records {
		a := s.Arrivals[r.Seq]
		if r.Journey != a.Journey || r.Name != customers.Journeys[a.Journey].Name || r.Customer != int(a.Customer) || r.Key != customers.Key(s, r.Seq, r.Retry) {
			t.Fatalf("record %+v of arrival %+v", r, a)
		}
	}
	return records, summary
}

func now() time.Time { return time.Now() }

// everyJourney is a mix in which pay_session has its part.
func everyJourney() customers.Mix {
	mix := customers.DefaultMix()
	mix[customers.PaySession] = 5
	return mix
}

// hurried is a table whose customers do not pause.
func hurried(m customers.Mix) []loadgen.JourneySpec {
	table := customers.WithMix(m)
	for j := range table {
		steps := slices.Clone(table[j].Steps)
		for i := range steps {
			steps[i].Think = nil
		}
		table[j].Steps = steps
	}
	return table
}

func TestEveryJourneyAgainstASoundBank(t *testing.T) {
	b := openBank(t)
	s := draw(t, loadgen.Plan{Seed: 1, Pacer: pacer.Poisson{PerS: 400}, Duration: time.Second, Journeys: hurried(everyJourney())})
	records, summary := run(t, loadgen.Runner{Transport: connect(t, b.targets)}, s, now())
	if summary.Sent != len(records) {
		t.Errorf("%+v", summary)
	}
	var seen [customers.JourneyCount]int
	calls := 0
	for _, r := range records {
		seen[r.Journey]++
		steps := len(customers.Journeys[r.Journey].Steps)
		calls += steps
		if r.Outcome != loadgen.OK || r.Route != "stale" || r.RouteAgeMs != 1500 || r.Attempts != 3*steps {
			t.Fatalf("%+v", r)
		}
	}
	if slices.Contains(seen[:], 0) {
		t.Fatalf("journeys seen: %v", seen)
	}
	if len(b.requests) != calls {
		t.Errorf("%d requests came, want %d", len(b.requests), calls)
	}
	everyone := s.Population.(customers.Even)
	index := map[string]int{}
	for i, c := range everyone.Customers {
		for _, identity := range []string{c.ID, c.Account, c.CardNumber, c.PrepaidNumber} {
			index[identity] = i
		}
	}
	for _, r := range b.requests {
		customer, known := index[r.identity]
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
	s := draw(t, loadgen.Plan{
		Seed: 1, Pacer: pacer.Constant{PerS: 400}, Duration: 100 * time.Millisecond,
		Journeys: customers.WithMix(customers.Mix{customers.CardTap: 1, customers.PrepaidTap: 1}),
	})
	records, _ := run(t, loadgen.Runner{Transport: connect(t, b.targets)}, s, now())
	for _, r := range records {
		want := map[loadgen.Journey]loadgen.Outcome{customers.CardTap: loadgen.Degraded, customers.PrepaidTap: loadgen.Declined}[r.Journey]
		if r.Outcome != want || r.Standin != (want == loadgen.Degraded) {
			t.Fatalf("%+v", r)
		}
	}
}

// TestOutOfPatience has nobody answered: reads have failed, as has a session that
// begins with one; of writes nothing is known. The load starts so late that little is
// left of each patience, but enough to send it on a busy machine.
func TestOutOfPatience(t *testing.T) {
	b := openBank(t)
	b.enter = func(ctx context.Context, _ request) error {
		<-ctx.Done()
		return ctx.Err()
	}
	const left = 2 * time.Second
	for j, spec := range customers.Journeys {
		t.Run(spec.Name, func(t *testing.T) {
			t.Parallel() // They wait.
			s := draw(t, loadgen.Plan{
				Seed: 1, Pacer: pacer.Constant{PerS: 200}, Duration: 50 * time.Millisecond,
				Journeys: customers.WithMix(customers.Only(loadgen.Journey(j))),
			})
			records, _ := run(t, loadgen.Runner{Transport: connect(t, b.targets)}, s, now().Add(left-spec.Patience))
			want := loadgen.Failed
			if spec.Write && loadgen.Journey(j) != customers.PaySession {
				want = loadgen.Unknown
			}
			for _, r := range records {
				if r.Outcome != want || r.Code != "DEADLINE_EXCEEDED" {
					t.Errorf("%+v", r)
				}
				if waited := time.Duration(r.DoneNs - r.IntendedNs); waited < spec.Patience || waited > spec.Patience+left {
					t.Errorf("gave up after %v, want %v", waited, spec.Patience)
				}
			}
		})
	}
}

func TestWhereNobodyListensNothingWasExecuted(t *testing.T) {
	var dead customers.Targets
	for range 3 {
		l := listen(t, "127.0.0.1:0")
		address := l.Addr().String()
		l.Close()
		dead.CardNet, dead.FPS, dead.Gateway = append(dead.CardNet, address), append(dead.FPS, address), append(dead.Gateway, address)
	}
	s := draw(t, loadgen.Plan{Seed: 1, Pacer: pacer.Poisson{PerS: 300}, Duration: 300 * time.Millisecond})
	records, summary := run(t, loadgen.Runner{Transport: connect(t, dead)}, s, now())
	if summary.Unsent != len(records) {
		t.Errorf("%+v", summary)
	}
	for _, r := range records {
		if r.Outcome != loadgen.Failed || r.Code != "UNAVAILABLE" || r.Sent() {
			t.Errorf("%+v", r)
		}
	}
}

func TestATargetWithoutAPort(t *testing.T) {
	targets := customers.Targets{CardNet: []string{"localhost"}}
	if _, err := transport.NewWire(targets.Config()); err == nil || !strings.Contains(err.Error(), "cardnet must be host:port") {
		t.Errorf("got %v", err)
	}
}

// TestAPopulationWithoutCustomers: the journeys of a bank ask who their
// customers are.
func TestAPopulationWithoutCustomers(t *testing.T) {
	b := openBank(t)
	s, err := loadgen.Draw(loadgen.Plan{Pacer: pacer.Constant{PerS: 100}, Duration: 50 * time.Millisecond, Journeys: customers.Table()})
	if err != nil {
		t.Fatal(err)
	}
	records, _ := run(t, loadgen.Runner{Transport: connect(t, b.targets)}, s, now())
	for _, r := range records {
		if r.Code != loadgen.CodeUnbuilt || !strings.Contains(r.Err, "needs customers of a bank") {
			t.Errorf("%+v", r)
		}
	}
}

// TestASessionGoesStepByStep: a session is one journey whose outcome is that of
// the step at which it ended, and unknown where only the look after the payment
// failed.
func TestASessionGoesStepByStep(t *testing.T) {
	for _, c := range []struct {
		failing int // which request of a session; -1 for none
		want    loadgen.Outcome
	}{{-1, loadgen.OK}, {0, loadgen.Failed}, {1, loadgen.Unknown}, {2, loadgen.Unknown}} {
		b := openBank(t)
		asked := 0
		b.enter = func(_ context.Context, r request) error {
			b.mu.Lock()
			defer b.mu.Unlock()
			asked++
			if asked == c.failing+1 {
				return status.Error(codes.Internal, "no")
			}
			return nil
		}
		s := draw(t, loadgen.Plan{
			Seed: 1, Pacer: pacer.Constant{PerS: 20}, Duration: 75 * time.Millisecond,
			Journeys: hurried(customers.Only(customers.PaySession)),
		})
		records, _ := run(t, loadgen.Runner{Transport: connect(t, b.targets)}, s, now())
		if len(records) != 1 || records[0].Outcome != c.want {
			t.Errorf("request %d failing: %+v, want %v", c.failing, records, c.want)
		}
		if want := []int{3, 1, 2, 3}[c.failing+1]; asked != want {
			t.Errorf("request %d failing: %d were made, want %d", c.failing, asked, want)
		}
	}
}

// TestRetries: a tap is made again under another key, a transfer and a look
// under the same; a no is an answer.
func TestRetries(t *testing.T) {
	b := openBank(t)
	var mu sync.Mutex
	tries := map[string]int{}
	b.enter = func(_ context.Context, r request) error {
		mu.Lock()
		defer mu.Unlock()
		tries[r.identity]++
		if tries[r.identity] < 3 {
			return status.Error(codes.Unavailable, "not yet")
		}
		return nil
	}
	quick := customers.Retries{
		Taps: 2, TapShare: 1, TapAfter: 2 * time.Millisecond,
		Resends: 2, ResendBase: 2 * time.Millisecond, ResendMax: 4 * time.Millisecond,
	}
	mix := customers.Mix{customers.CardTap: 1, customers.TransferOut: 1, customers.TransferIn: 1}
	// One customer to an arrival, so that tries can be counted.
	s := draw(t, loadgen.Plan{
		Seed: 1, Pacer: pacer.Constant{PerS: 100}, Duration: 100 * time.Millisecond,
		Journeys: customers.WithRetries(customers.WithMix(mix), quick), Population: customers.Even{Customers: someCustomers(10_000)},
	})
	records, summary := run(t, loadgen.Runner{Transport: connect(t, b.targets)}, s, now())
	if summary.Retries == 0 || summary.Sent != len(s.Arrivals) {
		t.Fatalf("%+v", summary)
	}
	for _, r := range records {
		tap, retried := r.Journey == customers.CardTap, r.Journey != customers.TransferIn
		switch {
		case !retried && r.Retry > 0:
			t.Errorf("%+v: Faster Payments tried again", r)
		case retried && r.Retry == 2 && r.Outcome != loadgen.OK:
			t.Errorf("%+v: the third try succeeds", r)
		case r.Retry < 2 && r.Outcome == loadgen.OK:
			t.Errorf("%+v: only the third try succeeds", r)
		case tap && r.Retry > 0 && !strings.HasSuffix(r.Key, map[int]string{1: "-1", 2: "-2"}[r.Retry]):
			t.Errorf("%+v: a new tap has a key of its own", r)
		}
	}
	b.enter = nil
	b.authorise = func(*bankv1.AuthoriseRequest) *bankv1.AuthoriseResponse {
		return &bankv1.AuthoriseResponse{ResponseCode: "51", DecidedBy: "cardauth"}
	}
	s = draw(t, loadgen.Plan{
		Seed: 1, Pacer: pacer.Constant{PerS: 100}, Duration: 50 * time.Millisecond,
		Journeys: customers.WithRetries(customers.WithMix(customers.Only(customers.CardTap)), quick),
	})
	if _, summary := run(t, loadgen.Runner{Transport: connect(t, b.targets)}, s, now()); summary.Retries != 0 {
		t.Errorf("%d taps were made again after a no", summary.Retries)
	}
}
