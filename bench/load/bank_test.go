package load_test

import (
	"context"
	"errors"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"google.golang.org/grpc"

	"breakbank/bench/load"
	adminv1 "breakbank/proto/admin/v1"
	bankv1 "breakbank/proto/bank/v1"
)

// fakeBank is a control API, and a card network that approves everything.
type fakeBank struct {
	adminv1.UnimplementedAdminServiceServer
	bankv1.UnimplementedCardNetServiceServer
	address string

	mu   sync.Mutex
	keys map[string]int
}

func openBank(t *testing.T) *fakeBank {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	b := &fakeBank{address: l.Addr().String(), keys: map[string]int{}}
	s := grpc.NewServer()
	adminv1.RegisterAdminServiceServer(s, b)
	bankv1.RegisterCardNetServiceServer(s, b)
	done := make(chan struct{})
	go func() {
		defer close(done)
		_ = s.Serve(l)
	}()
	t.Cleanup(func() { s.Stop(); <-done })
	return b
}

func (b *fakeBank) GetTopology(context.Context, *adminv1.GetTopologyRequest) (*adminv1.GetTopologyResponse, error) {
	edges := []*adminv1.Edge{}
	for _, service := range []string{"cardnet", "fps", "gateway", "standin"} {
		edges = append(edges, &adminv1.Edge{Service: service, Address: b.address})
	}
	return &adminv1.GetTopologyResponse{Edges: edges}, nil
}

func (b *fakeBank) Authorise(_ context.Context, r *bankv1.AuthoriseRequest) (*bankv1.AuthoriseResponse, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.keys[r.GetIdempotencyKey()]++
	return &bankv1.AuthoriseResponse{ResponseCode: "00"}, nil
}

func bankSpec(b *fakeBank) load.Spec {
	return load.Spec{
		Bank:     &load.BankSpec{Admin: b.address, Mix: map[string]int{"card_tap": 3, "prepaid_tap": 1}},
		RatePerS: 400, Duration: 300 * time.Millisecond, Seed: 1, Cores: load.CoresShared,
	}
}

// TestTheBankItself: addresses from the control API, the mix that was asked for,
// and keys of their own for each run of the same schedule.
func TestTheBankItself(t *testing.T) {
	t.Parallel()
	b := openBank(t)
	first := mustRun(t, bankSpec(b), load.Options{RunID: "first"})
	second := mustRun(t, bankSpec(b), load.Options{RunID: "second"})
	if first.ScheduleSHA256 != second.ScheduleSHA256 || first.Totals.OK != first.Totals.Scheduled || first.Scenario != "bank" {
		t.Errorf("%+v, %v", first.Totals, first.Errors)
	}
	if n := int64(len(b.keys)); n != first.Totals.Sent+second.Totals.Sent {
		t.Errorf("%d and %d taps have %d keys", first.Totals.Sent, second.Totals.Sent, n)
	}
	journeys := first.Phases[0].Journeys
	if tap, prepaid := journeys["card_tap"].Scheduled, journeys["prepaid_tap"].Scheduled; len(journeys) != 2 || tap < 2*prepaid || prepaid == 0 {
		t.Errorf("%+v", journeys)
	}
}

func TestPeopleAndTheirDay(t *testing.T) {
	t.Parallel()
	b := openBank(t)
	s := bankSpec(b)
	s.Bank.Customers, s.Bank.Retries, s.Pacer = load.CustomersPeople, true, "day:12:00/60"
	r := mustRun(t, s, load.Options{RunID: "people"})
	// Noon is more than twice as busy as a day's mean.
	if r.Totals.Sent < 200 || r.Totals.Sent != r.Totals.OK+r.Totals.Failed+r.Totals.Unknown {
		t.Errorf("%+v", r.Totals)
	}
}

func TestABankThatIsNotThere(t *testing.T) {
	s := bankSpec(&fakeBank{address: deadAddress(t)})
	_, err := load.Run(t.Context(), s, load.Options{})
	if err == nil || errors.As(err, new(load.Misuse)) || !strings.Contains(err.Error(), "breakbank up") || strings.Contains(err.Error(), "\n") {
		t.Errorf("got %v", err)
	}
	for name, c := range map[string]struct {
		change func(*load.Spec)
		says   string
	}{
		"no such journey":   {func(s *load.Spec) { s.Bank.Mix = map[string]int{"card_trick": 1} }, "card_tap"},
		"no weight at all":  {func(s *load.Spec) { s.Bank.Mix = map[string]int{"card_tap": 0} }, "weight"},
		"no such customers": {func(s *load.Spec) { s.Bank.Customers = "robots" }, "people"},
		"a storm of equals": {func(s *load.Spec) { s.Bank.StormAt = time.Second }, "people"},
		"no such day":       {func(s *load.Spec) { s.Pacer = "day:25:00/3" }, "HH:MM"},
		"a target as well":  {func(s *load.Spec) { s.Targets = []string{"127.0.0.1:1"} }, "control API"},
		"TLS":               {func(s *load.Spec) { s.TLS = &load.TLSSpec{} }, "TLS"},
	} {
		s := bankSpec(&fakeBank{address: "127.0.0.1:1"})
		c.change(&s)
		if _, err := load.Run(t.Context(), s, load.Options{}); !errors.As(err, new(load.Misuse)) || !strings.Contains(err.Error(), c.says) {
			t.Errorf("%s: %v", name, err)
		}
	}
}
