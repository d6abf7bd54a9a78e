package bank_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"pgregory.net/rapid"

	"breakbank/platform/book"
	bankv1 "breakbank/proto/bank/v1"
	bookv1 "breakbank/proto/book/v1"
	"breakbank/services/bank"
)

func TestResponseCodes(t *testing.T) {
	for _, c := range []struct {
		code              string
		declined, decided bool
	}{
		{bank.Approved, false, true},
		{bank.DoNotHonour, true, true},
		{bank.NoSuchCard, true, true},
		{bank.InsufficientFunds, true, true},
		{bank.Expired, true, true},
		{bank.OverLimit, true, true},
		{bank.IssuerInoperative, false, false},
		{bank.SystemError, false, false},
		{"", false, false},
	} {
		if got := bank.Declined(c.code); got != c.declined {
			t.Errorf("Declined(%q) = %t", c.code, got)
		}
		if got := bank.Decided(c.code); got != c.decided {
			t.Errorf("Decided(%q) = %t", c.code, got)
		}
	}
}

func TestRefusalsBecomeCodes(t *testing.T) {
	for refusal, want := range map[bookv1.Refusal]string{
		bookv1.Refusal_REFUSAL_UNSPECIFIED:        bank.Approved,
		bookv1.Refusal_REFUSAL_INSUFFICIENT_FUNDS: bank.InsufficientFunds,
		bookv1.Refusal_REFUSAL_NO_SUCH_ACCOUNT:    bank.NoSuchCard,
		bookv1.Refusal_REFUSAL_FROZEN:             bank.DoNotHonour,
		bookv1.Refusal_REFUSAL_RELEASED:           bank.SystemError,
		bookv1.Refusal_REFUSAL_NO_SUCH_HOLD:       bank.SystemError,
	} {
		if got := bank.ResponseForRefusal(bank.RefusalFromBook(refusal)); got != want {
			t.Errorf("%v becomes %q, want %q", refusal, got, want)
		}
	}
	if got := bank.ResponseForRefusal(bankv1.Refusal(99)); got != bank.SystemError {
		t.Errorf("a refusal nobody knows becomes %q, want %q: never an approval", got, bank.SystemError)
	}
}

func TestKindsCrossTheWire(t *testing.T) {
	for kind := bank.OutcomeUnknown; kind <= bank.Forbidden; kind++ {
		err := fmt.Errorf("outside: %w", bank.Errorf(kind, "inside"))
		st, ok := status.FromError(err)
		if !ok {
			t.Fatalf("%v: gRPC finds no status in %v", kind, err)
		}
		if got := bank.KindOf(st.Err()); got != kind {
			t.Errorf("%v arrives as %v", kind, got)
		}
	}
}

func TestMayHaveHappened(t *testing.T) {
	for _, c := range []struct {
		err  error
		want bool
	}{
		{nil, false},
		{status.Error(codes.Unavailable, ""), false},
		{status.Error(codes.InvalidArgument, ""), false},
		{status.Error(codes.DeadlineExceeded, ""), true},
		{status.Error(codes.Aborted, ""), true},
		{status.Error(codes.Canceled, ""), true},
		{status.Error(codes.Unknown, ""), true},
		{status.Error(codes.DataLoss, ""), true},
		{context.DeadlineExceeded, true},
		{context.Canceled, true},
		{errors.New("anything else"), true},
		{fmt.Errorf("apply: %w", book.ErrKeyReused), false},
		{fmt.Errorf("apply: %w", book.ErrInvalid), false},
		{fmt.Errorf("apply: %w", book.ErrClosed), false},
		{bank.Wrap(status.Error(codes.Unavailable, ""), "holding"), false},
		{bank.Wrap(context.DeadlineExceeded, "holding"), true},
	} {
		if got := bank.MayHaveHappened(c.err); got != c.want {
			t.Errorf("MayHaveHappened(%v) = %t", c.err, got)
		}
	}
}

func TestWrapKeepsTheCause(t *testing.T) {
	cause := errors.New("disk full")
	err := bank.Wrap(bank.Errorf(bank.Internal, "writing: %w", cause), "holding %d", 3)
	if !errors.Is(err, cause) || err.Error() != "holding 3: writing: disk full" {
		t.Errorf("got %v", err)
	}
	if bank.Wrap(nil, "nothing") != nil {
		t.Error("wrapping no error made one")
	}
}

func TestPounds(t *testing.T) {
	for minor, want := range map[int64]string{
		0: "£0.00", 7: "£0.07", -7: "-£0.07", 100: "£1.00", 123_405: "£1,234.05",
		999_99: "£999.99", 1_000_000_00: "£1,000,000.00", -100_000: "-£1,000.00",
		-9223372036854775808: "-£92,233,720,368,547,758.08",
	} {
		if got := bank.Pounds(minor); got != want {
			t.Errorf("Pounds(%d) = %q, want %q", minor, got, want)
		}
	}
}

func TestBackoffStaysInItsBounds(t *testing.T) {
	backoff := bank.Backoff{First: 100 * time.Millisecond, Max: 2 * time.Second}
	rapid.Check(t, func(t *rapid.T) {
		failures := rapid.IntRange(1, 1_000_000).Draw(t, "failures")
		random := rapid.Float64Range(0, 0.999).Draw(t, "random")
		wait := backoff.Wait(failures, random)
		if wait < backoff.First/2 || wait > backoff.Max {
			t.Fatalf("waited %v", wait)
		}
		if next := backoff.Wait(failures+1, random); next < wait {
			t.Fatalf("after one more failure %v, less than %v", next, wait)
		}
	})
}
