package gateway

import (
	"bytes"
	"context"
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"testing"
	"time"

	"google.golang.org/grpc/metadata"
	"google.golang.org/protobuf/types/known/timestamppb"

	"breakbank/platform/rpc"
	bankv1 "breakbank/proto/bank/v1"
)

var update = flag.Bool("update", false, "rewrite the golden files")

const (
	appRefresh = `query($id: ID!) { account(customerId: $id) {
		balance { balanceMinor availableMinor }
		feed(limit: 2) { sequence at amountMinor reference kind } } }`
	copsLookup = `query($id: ID!) { customer(id: $id) { id
		balance { balanceMinor availableMinor }
		feed { sequence at amountMinor reference kind }
		card { numberMasked state dailyLimitRemainingMinor } } }`
	payOut       = `mutation($input: PayInput!) { pay(input: $input) { status declineReason } }`
	unfreezeCard = `mutation($input: UnfreezeCardInput!) { unfreezeCard(input: $input) { state } }`
	freezeCard   = `mutation($input: FreezeCardInput!) { freezeCard(input: $input) { numberMasked state dailyLimitRemainingMinor } }`
)

// wholeBank answers everything, for customer c00042.
func wholeBank() *services {
	at := time.Date(2017, 10, 27, 13, 10, 0, 250_000_000, time.UTC)
	state := bankv1.CardState_CARD_STATE_ACTIVE
	return &services{
		balance: func(_ context.Context, r *bankv1.GetBalanceRequest) (*bankv1.GetBalanceResponse, error) {
			if r.GetAccount() != "acc-00042" {
				return &bankv1.GetBalanceResponse{}, nil
			}
			return &bankv1.GetBalanceResponse{BalanceMinor: 9_007_199_254_740_993, AvailableMinor: -50}, nil
		},
		feed: func(_ context.Context, r *bankv1.ListEntriesRequest) (*bankv1.ListEntriesResponse, error) {
			all := []*bankv1.FeedEntry{
				{Sequence: 3_000_000_001, At: timestamppb.New(at), AmountMinor: -2_000, Reference: "Corner \"Shop\"", Kind: "card_payment"},
				{Sequence: 7, At: timestamppb.New(at.Add(-time.Hour)), AmountMinor: 100_000, Reference: "Salary", Kind: "transfer_in"},
				{Sequence: 5, At: timestamppb.New(at.Add(-2 * time.Hour)), AmountMinor: 1, Reference: "", Kind: "transfer_in"},
			}
			return &bankv1.ListEntriesResponse{Entries: all[:min(len(all), int(r.GetLimit()))]}, nil
		},
		sendOut: func(_ context.Context, r *bankv1.SendOutRequest) (*bankv1.SendOutResponse, error) {
			if r.GetAmountMinor() > 100_000 {
				return &bankv1.SendOutResponse{Refusal: bankv1.Refusal_REFUSAL_INSUFFICIENT_FUNDS}, nil
			}
			return &bankv1.SendOutResponse{}, nil
		},
		card: func(context.Context, *bankv1.GetCardRequest) (*bankv1.GetCardResponse, error) {
			return &bankv1.GetCardResponse{CardNumber: "5355220000000424", State: state, DailyLimitRemainingMinor: 97_950}, nil
		},
		setState: func(_ context.Context, r *bankv1.SetCardStateRequest) (*bankv1.SetCardStateResponse, error) {
			state = r.GetState()
			return &bankv1.SetCardStateResponse{State: state}, nil
		},
	}
}

func TestShapes(t *testing.T) {
	g := start(t, serveAll(t, wholeBank()))
	pay := func(amount any) map[string]any {
		return map[string]any{"input": map[string]any{
			"idempotencyKey": "k1", "customerId": "c00042", "toSortCode": "04-00-04",
			"toAccountNumber": "12345678", "amountMinor": amount, "reference": "Rent",
		}}
	}
	of := map[string]any{"id": "c00042"}
	for _, c := range []struct {
		name, query string
		variables   map[string]any
	}{
		{"app_refresh", appRefresh, of},
		{"cops_lookup", copsLookup, of},
		{"pay_accepted", payOut, pay(12_345)},
		{"pay_declined", payOut, pay(5_000_000_000)},
		{"pay_not_a_number", payOut, pay("much")},
		{"pay_beyond_64_bits", payOut, pay(json.Number("9223372036854775808"))},
		{"pay_literal_beyond_64_bits", `mutation { pay(input: { idempotencyKey: "k1", customerId: "c00042", toSortCode: "040004",
			toAccountNumber: "12345678", amountMinor: 9223372036854775808, reference: "Rent" }) { status } }`, nil},
		{"freeze", freezeCard, map[string]any{"input": map[string]any{"idempotencyKey": "k2", "customerId": "c00042"}}},
		{"unfreeze", unfreezeCard, map[string]any{"input": map[string]any{"idempotencyKey": "k3", "customerId": "c00042"}}},
		{"no_such_customer", appRefresh, map[string]any{"id": "c99999"}},
		{"feed_of_nothing", `{ account(customerId: "c00042") { feed(limit: 0) { sequence } } }`, nil},
		{"no_such_field", `{ account(customerId: "c00042") { overdraft } }`, nil},
		{"does_not_parse", `{ account(customerId: `, nil},
		{"introspection_is_off", `{ __schema { types { name } } }`, nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			got := g.ask(t, c.query, c.variables)
			var indented bytes.Buffer
			if err := json.Indent(&indented, got.body, "", "  "); err != nil {
				t.Fatal(err)
			}
			indented.WriteByte('\n')
			golden := filepath.Join("testdata", c.name+".json")
			if *update {
				if err := os.WriteFile(golden, indented.Bytes(), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(golden)
			if err != nil {
				t.Fatal(err)
			}
			if !bytes.Equal(indented.Bytes(), want) {
				t.Errorf("%s: got\n%swant\n%s", golden, indented.Bytes(), want)
			}
			if kind := got.header.Get("Content-Type"); kind != "application/json" {
				t.Errorf("content type %q", kind)
			}
		})
	}
}

func TestWritesCarryTheirKey(t *testing.T) {
	bankOf := wholeBank()
	keys := make(chan []string, 2)
	sendOut, setState := bankOf.sendOut, bankOf.setState
	bankOf.sendOut = func(ctx context.Context, r *bankv1.SendOutRequest) (*bankv1.SendOutResponse, error) {
		keys <- append(metadata.ValueFromIncomingContext(ctx, rpc.KeyMetadata), r.GetIdempotencyKey(), r.GetFromAccount(), r.GetToAccountNumber())
		return sendOut(ctx, r)
	}
	bankOf.setState = func(ctx context.Context, r *bankv1.SetCardStateRequest) (*bankv1.SetCardStateResponse, error) {
		keys <- append(metadata.ValueFromIncomingContext(ctx, rpc.KeyMetadata), r.GetIdempotencyKey(), r.GetCustomerId(), r.GetState().String())
		return setState(ctx, r)
	}
	g := start(t, serveAll(t, bankOf))

	g.ask(t, payOut, map[string]any{"input": map[string]any{
		"idempotencyKey": "pay-1", "customerId": "c00042", "toSortCode": "040004",
		"toAccountNumber": "12345678", "amountMinor": 1, "reference": "",
	}})
	expect(t, <-keys, "pay-1", "pay-1", "acc-00042", "12345678")
	g.ask(t, freezeCard, map[string]any{"input": map[string]any{"idempotencyKey": "freeze-1", "customerId": "c00042"}})
	expect(t, <-keys, "freeze-1", "freeze-1", "c00042", "CARD_STATE_FROZEN")

	got := g.ask(t, freezeCard, map[string]any{"input": map[string]any{"idempotencyKey": "", "customerId": "c00042"}})
	if code := got.code(t); code != "INVALID_ARGUMENT" || len(keys) != 0 {
		t.Errorf("an empty key: %s, and %d calls made", code, len(keys))
	}
}

func expect(t *testing.T, got []string, want ...string) {
	t.Helper()
	if len(got) != len(want) {
		t.Fatalf("got %q, want %q", got, want)
	}
	for i := range want {
		if got[i] != want[i] {
			t.Fatalf("got %q, want %q", got, want)
		}
	}
}
