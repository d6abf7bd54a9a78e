package gateway

import (
	"context"
	"errors"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"

	"breakbank/platform/rpc"
	bankv1 "breakbank/proto/bank/v1"
)

func TestAFailingFieldLeavesTheOthers(t *testing.T) {
	down := status.Error(codes.Unavailable, "nobody there")
	for field, fail := range map[string]func(*services){
		"balance": func(s *services) {
			s.balance = func(context.Context, *bankv1.GetBalanceRequest) (*bankv1.GetBalanceResponse, error) { return nil, down }
		},
		"feed": func(s *services) {
			s.feed = func(context.Context, *bankv1.ListEntriesRequest) (*bankv1.ListEntriesResponse, error) {
				return nil, down
			}
		},
		"card": func(s *services) {
			s.card = func(context.Context, *bankv1.GetCardRequest) (*bankv1.GetCardResponse, error) { return nil, down }
		},
	} {
		t.Run(field, func(t *testing.T) {
			bankOf := wholeBank()
			fail(bankOf)
			got := start(t, serveAll(t, bankOf)).ask(t, copsLookup, map[string]any{"id": "c00042"})
			if got.status != 200 || got.code(t) != "UNAVAILABLE" {
				t.Fatalf("status %d: %s", got.status, got.body)
			}
			if path := got.Errors[0].Path; len(path) != 2 || path[0] != "customer" || path[1] != field {
				t.Errorf("the error is at %v", path)
			}
			customer, _ := got.Data["customer"].(map[string]any)
			if len(customer) != 4 {
				t.Fatalf("fields are missing: %s", got.body)
			}
			for name, value := range customer {
				if (value == nil) != (name == field) {
					t.Errorf("%s is %v", name, value)
				}
			}
		})
	}
}

// The code decides whether the phone may think that nothing happened, so it
// must come through as it was.
func TestCodesComeThrough(t *testing.T) {
	answerWith := make(chan error, 1)
	bankOf := wholeBank()
	bankOf.sendOut = func(context.Context, *bankv1.SendOutRequest) (*bankv1.SendOutResponse, error) {
		return nil, <-answerWith
	}
	g := start(t, serveAll(t, bankOf))
	for code := codes.Canceled; code <= codes.Unauthenticated; code++ {
		answerWith <- status.Error(code, "so it is")
		got := g.ask(t, payOut, pay1)
		if got.code(t) != codeName(code) || got.Errors[0].Message != "so it is" {
			t.Errorf("%v came through as %s", code, got.body)
		}
		if got.Data["pay"] != nil {
			t.Errorf("%v: data %v", code, got.Data)
		}
	}
}

// Whoever reads extensions.code compares it with gRPC's own names.
func TestCodesAreSpelledAsGRPCSpellsThem(t *testing.T) {
	for code := codes.OK; !strings.HasPrefix(code.String(), "Code("); code++ {
		var back codes.Code
		if err := back.UnmarshalJSON([]byte(`"` + codeName(code) + `"`)); err != nil || back != code {
			t.Errorf("%v is called %s, which gRPC reads as %v, %v", code, codeName(code), back, err)
		}
	}
	if codeName(99) != "UNKNOWN" {
		t.Errorf("code 99 is called %s", codeName(99))
	}
}

var pay1 = map[string]any{"input": map[string]any{
	"idempotencyKey": "k1", "customerId": "c00042", "toSortCode": "040004",
	"toAccountNumber": "12345678", "amountMinor": 1, "reference": "Rent",
}}

func TestNobodyThereIsUnavailable(t *testing.T) {
	l := listen(t)
	l.Close()
	got := start(t, l.Addr().String()).ask(t, payOut, pay1)
	if code := got.code(t); code != "UNAVAILABLE" {
		t.Errorf("a write that was never sent: %s", got.body)
	}
}

func TestThePhonesPatienceTravels(t *testing.T) {
	left := make(chan time.Duration, 1)
	bankOf := wholeBank()
	bankOf.sendOut = func(ctx context.Context, _ *bankv1.SendOutRequest) (*bankv1.SendOutResponse, error) {
		deadline, _ := ctx.Deadline()
		left <- time.Until(deadline)
		return &bankv1.SendOutResponse{}, nil
	}
	g := start(t, serveAll(t, bankOf))
	for header, most := range map[string]time.Duration{
		"":                     maxTimeout,
		"4000":                 4 * time.Second,
		"60000":                maxTimeout,
		"18446744073709551616": maxTimeout,
	} {
		headers := []string{timeoutHeader, header}
		if header == "" {
			headers = nil
		}
		if got := g.ask(t, payOut, pay1, headers...); len(got.Errors) != 0 {
			t.Fatalf("%q: %s", header, got.body)
		}
		if got := <-left; got > most || got < most-2*time.Second {
			t.Errorf("header %q gave the call %v, want about %v", header, got, most)
		}
	}
	for _, header := range []string{"0", "-1", "soon", "1.5"} {
		if got := g.ask(t, payOut, pay1, timeoutHeader, header); got.status != 400 || got.code(t) != "INVALID_ARGUMENT" {
			t.Errorf("header %q: %d %s", header, got.status, got.body)
		}
	}
}

func TestOutOfTime(t *testing.T) {
	bankOf := wholeBank()
	feed := bankOf.feed
	var hangs atomic.Bool
	bankOf.feed = func(ctx context.Context, r *bankv1.ListEntriesRequest) (*bankv1.ListEntriesResponse, error) {
		if !hangs.Load() {
			return feed(ctx, r)
		}
		<-ctx.Done()
		return nil, ctx.Err()
	}
	g := start(t, serveAll(t, bankOf))
	// The phone's time is for the answers, not for the first connections.
	if got := g.ask(t, appRefresh, map[string]any{"id": "c00042"}); len(got.Errors) != 0 {
		t.Fatalf("before: %s", got.body)
	}
	hangs.Store(true)
	got := g.ask(t, appRefresh, map[string]any{"id": "c00042"}, timeoutHeader, "1000")
	if got.code(t) != "DEADLINE_EXCEEDED" {
		t.Errorf("got %s", got.body)
	}
	if account, _ := got.Data["account"].(map[string]any); account["balance"] == nil {
		t.Errorf("the balance came in time: %s", got.body)
	}
}

// Each waits for the others to have been asked.
func TestFieldsAreAskedForSideBySide(t *testing.T) {
	const fields = 3
	arrived, all := make(chan struct{}, fields), make(chan struct{})
	bankOf := wholeBank()
	meet := func(ctx context.Context) error {
		arrived <- struct{}{}
		if len(arrived) == fields {
			close(all)
		}
		select {
		case <-all:
			return nil
		case <-ctx.Done():
			return errors.New("alone")
		}
	}
	balance, feed, card := bankOf.balance, bankOf.feed, bankOf.card
	bankOf.balance = func(ctx context.Context, r *bankv1.GetBalanceRequest) (*bankv1.GetBalanceResponse, error) {
		if err := meet(ctx); err != nil {
			return nil, err
		}
		return balance(ctx, r)
	}
	bankOf.feed = func(ctx context.Context, r *bankv1.ListEntriesRequest) (*bankv1.ListEntriesResponse, error) {
		if err := meet(ctx); err != nil {
			return nil, err
		}
		return feed(ctx, r)
	}
	bankOf.card = func(ctx context.Context, r *bankv1.GetCardRequest) (*bankv1.GetCardResponse, error) {
		if err := meet(ctx); err != nil {
			return nil, err
		}
		return card(ctx, r)
	}
	got := start(t, serveAll(t, bankOf)).ask(t, copsLookup, map[string]any{"id": "c00042"}, timeoutHeader, "5000")
	if len(got.Errors) != 0 {
		t.Errorf("got %s", got.body)
	}
}

func TestProvenanceIsMerged(t *testing.T) {
	bankOf := wholeBank()
	balance, feed := bankOf.balance, bankOf.feed
	report := func(ctx context.Context, route, age, attempts string) error {
		return grpc.SetTrailer(ctx, metadata.Pairs(rpc.RouteTrailer, route, rpc.RouteAgeTrailer, age, rpc.AttemptsTrailer, attempts))
	}
	bankOf.balance = func(ctx context.Context, r *bankv1.GetBalanceRequest) (*bankv1.GetBalanceResponse, error) {
		return must(balance(ctx, r)), report(ctx, "stale", "120", "3")
	}
	bankOf.feed = func(ctx context.Context, r *bankv1.ListEntriesRequest) (*bankv1.ListEntriesResponse, error) {
		return must(feed(ctx, r)), report(ctx, "live", "900", "1")
	}
	got := start(t, serveAll(t, bankOf)).ask(t, appRefresh, map[string]any{"id": "c00042"})
	for name, want := range map[string]string{
		rpc.RouteTrailer:    "stale",
		rpc.RouteAgeTrailer: "900",
		rpc.AttemptsTrailer: "4",
		rpc.InstanceTrailer: "gateway-v1-1-a1",
	} {
		if value := got.header.Get(name); value != want {
			t.Errorf("%s is %q, want %q", name, value, want)
		}
	}
}

func must[T any](value T, err error) T {
	if err != nil {
		panic(err)
	}
	return value
}

// The card is frozen, so no code may say that it is not.
func TestAFreezeThatCannotBeReadBackIsNotDenied(t *testing.T) {
	bankOf := wholeBank()
	bankOf.card = func(context.Context, *bankv1.GetCardRequest) (*bankv1.GetCardResponse, error) {
		return nil, status.Error(codes.Unavailable, "gone")
	}
	got := start(t, serveAll(t, bankOf)).ask(t, freezeCard, map[string]any{"input": map[string]any{"idempotencyKey": "k", "customerId": "c00042"}})
	if code := got.code(t); code != "ABORTED" {
		t.Errorf("got %s", got.body)
	}
}
