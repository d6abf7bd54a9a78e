package cardnet

import (
	"context"
	"log/slog"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	bankv1 "breakbank/proto/bank/v1"
	"breakbank/services/bank"
)

// behaviour is what a processor does with an authorisation.
type behaviour struct {
	takes time.Duration
	code  string
	err   error
	deaf  bool // ignores that its caller gave up, as one that has committed does
}

// script is a processor that does as it is told.
type script struct {
	behaviour

	mu        sync.Mutex
	refuse    int // reversals not acknowledged before the first that is
	asked     int
	reversed  []string
	reverseAt []time.Time
}

func (s *script) Authorise(ctx context.Context, _ *bankv1.AuthoriseRequest, _ ...grpc.CallOption) (*bankv1.AuthoriseResponse, error) {
	s.mu.Lock()
	s.asked++
	s.mu.Unlock()
	if s.deaf {
		pause(context.WithoutCancel(ctx), s.takes)
	} else if !pause(ctx, s.takes) {
		return nil, status.FromContextError(ctx.Err()).Err()
	}
	if s.err != nil {
		return nil, s.err
	}
	return &bankv1.AuthoriseResponse{ResponseCode: s.code}, nil
}

func (s *script) Reverse(_ context.Context, req *bankv1.ReverseRequest, _ ...grpc.CallOption) (*bankv1.ReverseResponse, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.reverseAt = append(s.reverseAt, time.Now())
	if s.refuse > 0 {
		s.refuse--
		return nil, status.Error(codes.Unavailable, "still away")
	}
	s.reversed = append(s.reversed, req.GetIdempotencyKey())
	return &bankv1.ReverseResponse{ResponseCode: bank.Approved}, nil
}

func (s *script) wasReversed() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Sorted(slices.Values(s.reversed))
}

func approving() *script { return &script{behaviour: behaviour{code: bank.Approved}} }

// bench is a cardnet between scripts.
type bench struct {
	*service
	primary, prepaid, standIn *script
}

func newBench(t *testing.T) *bench {
	b := &bench{primary: approving(), prepaid: approving(), standIn: approving()}
	b.service = &service{log: slog.New(slog.DiscardHandler), reversals: newReversals(slog.New(slog.DiscardHandler))}
	b.cardauth = &processor{name: cardauthName, client: b.primary, reversals: newQueue(cardauthName, b.primary)}
	b.service.prepaid = &processor{name: prepaidName, client: b.prepaid, reversals: newQueue(prepaidName, b.prepaid)}
	b.fallback.routed = b.standIn
	b.reversals.start(b.cardauth.reversals, b.service.prepaid.reversals)
	t.Cleanup(b.reversals.kill)
	return b
}

func (b *bench) standInOn(t *testing.T) {
	if _, err := b.fallback.set(bankv1.FallbackMode_FALLBACK_MODE_ROUTED); err != nil {
		t.Fatal(err)
	}
}

func payment(key string, prepaid bool) *bankv1.AuthoriseRequest {
	card := bank.CardNumber(1)
	if prepaid {
		card = bank.PrepaidNumber(1)
	}
	return &bankv1.AuthoriseRequest{IdempotencyKey: key, CardNumber: card, AmountMinor: 20_00}
}

// idle lets the bubble run until nothing is pending.
func (b *bench) idle(t *testing.T) {
	t.Helper()
	for range 1000 {
		synctest.Wait()
		if b.reversals.counts.pending.Load() == 0 {
			return
		}
		pause(t.Context(), 100*time.Millisecond)
	}
	t.Fatal("reversals still pending")
}

func TestPrimaryAnswers(t *testing.T) {
	for _, code := range []string{bank.Approved, bank.DoNotHonour, bank.InsufficientFunds} {
		synctest.Test(t, func(t *testing.T) {
			b := newBench(t)
			b.standInOn(t)
			b.primary.code = code
			got, err := b.Authorise(t.Context(), payment("k", false))
			if err != nil || got.GetResponseCode() != code || got.GetDecidedBy() != cardauthName {
				t.Errorf("got %v, %v; want %s by %s", got, err, code, cardauthName)
			}
			if b.standIn.asked != 0 || len(b.primary.wasReversed()) != 0 {
				t.Errorf("stand-in was asked %d times, reversed %v", b.standIn.asked, b.primary.wasReversed())
			}
		})
	}
}

func TestCardsGoWhereTheyBelong(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t)
		b.standInOn(t)
		b.prepaid.err = status.Error(codes.Unavailable, "")
		got, err := b.Authorise(t.Context(), payment("k", true))
		if err != nil || got.GetResponseCode() != bank.IssuerInoperative {
			t.Errorf("prepaid away: %v, %v; want %s", got, err, bank.IssuerInoperative)
		}
		if b.prepaid.asked != 1 || b.primary.asked != 0 || b.standIn.asked != 0 {
			t.Errorf("asked prepaid %d, cardauth %d, stand-in %d times; want 1, 0, 0",
				b.prepaid.asked, b.primary.asked, b.standIn.asked)
		}
		unknown := payment("k", false)
		unknown.CardNumber = "4539578763621486"
		if got, err := b.Authorise(t.Context(), unknown); err != nil || got.GetResponseCode() != bank.NoSuchCard {
			t.Errorf("another bank's card: %v, %v; want %s", got, err, bank.NoSuchCard)
		}
	})
}

func TestBudgets(t *testing.T) {
	for _, c := range []struct {
		name                     string
		standInOn                bool
		primaryTakes, standTakes time.Duration
		want, by                 string
		within                   time.Duration
	}{
		{"primary just in time", true, primaryBudget - time.Millisecond, 0, bank.Approved, cardauthName, primaryBudget},
		{"primary too slow", true, primaryBudget + time.Millisecond, 0, bank.Approved, standInName, primaryBudget},
		{"primary too slow, nobody stands in", false, time.Minute, 0, bank.IssuerInoperative, serviceName, primaryBudget},
		{"both too slow", true, time.Minute, time.Minute, bank.IssuerInoperative, serviceName, primaryBudget + standInBudget},
	} {
		synctest.Test(t, func(t *testing.T) {
			b := newBench(t)
			if c.standInOn {
				b.standInOn(t)
			}
			b.primary.takes, b.standIn.takes = c.primaryTakes, c.standTakes
			began := time.Now()
			got, err := b.Authorise(t.Context(), payment("k", false))
			if err != nil || got.GetResponseCode() != c.want || got.GetDecidedBy() != c.by {
				t.Errorf("%s: got %v, %v; want %s by %s", c.name, got, err, c.want, c.by)
			}
			if took := time.Since(began); took > c.within {
				t.Errorf("%s: took %v, more than %v", c.name, took, c.within)
			}
			b.idle(t)
		})
	}
}

// Whatever the card network was not told must not stay held.
func TestWhatIsUndone(t *testing.T) {
	for _, c := range []struct {
		name             string
		primary, standIn behaviour
		patience         time.Duration // of the card network; 0: all it needs
		want             []string
		late             int64
	}{
		{name: "nothing, all is well", primary: behaviour{code: bank.Approved}},
		{name: "nothing, never executed", primary: behaviour{err: status.Error(codes.Unavailable, "")}, standIn: behaviour{code: bank.Approved}},
		{
			name: "the primary's, not stand-in's approval", primary: behaviour{takes: time.Minute},
			standIn: behaviour{code: bank.Approved}, want: []string{"k"},
		},
		{
			name: "both of no answer", primary: behaviour{err: status.Error(codes.Aborted, "")},
			standIn: behaviour{takes: time.Minute}, want: []string{"adv:k", "k"},
		},
		{
			name: "stand-in's only", primary: behaviour{err: status.Error(codes.Unavailable, "")},
			standIn: behaviour{err: status.Error(codes.Unknown, "")}, want: []string{"adv:k"},
		},
		{
			name: "an approval after the card network gave up", patience: 100 * time.Millisecond,
			primary: behaviour{takes: 200 * time.Millisecond, deaf: true, code: bank.Approved}, want: []string{"k"}, late: 1,
		},
		{
			name: "not a decline after the card network gave up", patience: 100 * time.Millisecond,
			primary: behaviour{takes: 200 * time.Millisecond, deaf: true, code: bank.OverLimit},
		},
		{
			name: "stand-in's approval after the card network gave up", patience: 100 * time.Millisecond,
			primary: behaviour{err: status.Error(codes.Unavailable, "")},
			standIn: behaviour{takes: 200 * time.Millisecond, deaf: true, code: bank.Approved}, want: []string{"adv:k"}, late: 1,
		},
	} {
		synctest.Test(t, func(t *testing.T) {
			b := newBench(t)
			b.standInOn(t)
			b.primary.behaviour, b.standIn.behaviour = c.primary, c.standIn
			ctx := t.Context()
			if c.patience > 0 {
				var cancel context.CancelFunc
				ctx, cancel = context.WithTimeout(ctx, c.patience)
				defer cancel()
			}
			_, err := b.Authorise(ctx, payment("k", false))
			if gone := c.patience > 0; gone != (err != nil) {
				t.Errorf("%s: error %v", c.name, err)
			}
			b.idle(t)
			if got := b.primary.wasReversed(); !slices.Equal(got, c.want) {
				t.Errorf("%s: reversed %v, want %v", c.name, got, c.want)
			}
			if got := b.reversals.counts.late.Load(); got != c.late {
				t.Errorf("%s: %d late approvals counted, want %d", c.name, got, c.late)
			}
		})
	}
}

func TestNoPlaceLeftMeansNobodyIsAsked(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t)
		b.standInOn(t)
		for range reversalsMax {
			if !b.reversals.reserve() {
				t.Fatal("places ran out early")
			}
		}
		got, err := b.Authorise(t.Context(), payment("k", false))
		if err != nil || got.GetResponseCode() != bank.SystemError {
			t.Errorf("got %v, %v; want %s", got, err, bank.SystemError)
		}
		if b.primary.asked+b.standIn.asked != 0 {
			t.Error("somebody was asked")
		}
		b.reversals.release()
		if got, _ := b.Authorise(t.Context(), payment("k", false)); got.GetResponseCode() != bank.Approved {
			t.Errorf("with a place again: %v", got)
		}
	})
}

func TestReverseForTheCardNetwork(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t)
		request := &bankv1.ReverseRequest{IdempotencyKey: "k", CardNumber: bank.CardNumber(1)}
		got, err := b.Reverse(t.Context(), request)
		if err != nil || got.GetResponseCode() != bank.Approved {
			t.Errorf("got %v, %v", got, err)
		}
		if got, want := b.primary.wasReversed(), []string{"adv:k", "k"}; !slices.Equal(got, want) {
			t.Errorf("reversed %v, want %v: whoever decided", got, want)
		}
		b.primary.refuse = 1
		if got, err := b.Reverse(t.Context(), request); err != nil || got.GetResponseCode() != bank.IssuerInoperative {
			t.Errorf("not acknowledged: %v, %v; want %s", got, err, bank.IssuerInoperative)
		}
	})
}

func TestFallbackSwitches(t *testing.T) {
	b := &service{log: slog.New(slog.DiscardHandler)}
	routed, fixed := &script{}, &script{}
	b.fallback.routed = routed
	set := func(mode bankv1.FallbackMode) (*bankv1.SetFallbackResponse, error) {
		return b.SetFallback(t.Context(), &bankv1.SetFallbackRequest{Mode: mode})
	}
	if _, err := set(bankv1.FallbackMode_FALLBACK_MODE_INDEPENDENT); bank.KindOf(err) != bank.Forbidden {
		t.Errorf("independent without an address: %v", err)
	}
	b.fallback.independent = fixed
	for _, c := range []struct {
		mode bankv1.FallbackMode
		want authoriser
	}{
		{bankv1.FallbackMode_FALLBACK_MODE_ROUTED, routed},
		{bankv1.FallbackMode_FALLBACK_MODE_INDEPENDENT, fixed},
		{bankv1.FallbackMode_FALLBACK_MODE_NONE, nil},
	} {
		if _, err := set(c.mode); err != nil {
			t.Fatal(err)
		}
		if got := b.fallback.standIn(); got != c.want {
			t.Errorf("%v: asks %v", c.mode, got)
		}
	}
	if _, err := set(bankv1.FallbackMode_FALLBACK_MODE_UNSPECIFIED); bank.KindOf(err) != bank.Invalid {
		t.Errorf("unspecified: %v", err)
	}
	got, err := set(bankv1.FallbackMode_FALLBACK_MODE_ROUTED)
	if err != nil || got.GetPrevious() != bankv1.FallbackMode_FALLBACK_MODE_NONE {
		t.Errorf("previous %v, %v; want none", got.GetPrevious(), err)
	}
}

func TestBadRequests(t *testing.T) {
	b := &service{}
	for name, req := range map[string]*bankv1.AuthoriseRequest{
		"no key":          {CardNumber: bank.CardNumber(1), AmountMinor: 1},
		"no amount":       {IdempotencyKey: "k", CardNumber: bank.CardNumber(1)},
		"negative amount": {IdempotencyKey: "k", CardNumber: bank.CardNumber(1), AmountMinor: -1},
	} {
		if _, err := b.Authorise(t.Context(), req); status.Code(err) != codes.InvalidArgument {
			t.Errorf("%s: %v", name, err)
		}
	}
}
