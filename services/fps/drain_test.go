package fps

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	bankv1 "breakbank/proto/bank/v1"
)

func TestGate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var g gate
		waited := func() time.Duration {
			began := time.Now()
			if err := g.wait(context.Background(), began); err != nil {
				t.Fatal(err)
			}
			return time.Since(began)
		}
		if got := waited(); got != 0 {
			t.Errorf("open, yet waited %v", got)
		}
		for _, want := range []time.Duration{50, 100, 200, 400, 800, 1000, 1000} {
			g.failed(time.Now(), 0)
			g.failed(time.Now(), 0) // One that was under way beside it.
			if got := waited(); got != want*time.Millisecond {
				t.Errorf("waited %v, want %v", got, want*time.Millisecond)
			}
		}
		g.failed(time.Now(), 0.999)
		if got := waited(); got > drainBackoff.Max {
			t.Errorf("waited %v", got)
		}
		g.failed(time.Now(), 0)
		ctx, cancel := context.WithTimeout(t.Context(), time.Millisecond)
		defer cancel()
		if err := g.wait(ctx, time.Now()); err == nil {
			t.Error("it waited past its context")
		}
		g.opened()
		if got := waited(); got != 0 {
			t.Errorf("open again, yet waited %v", got)
		}
	})
}

func TestMessageID(t *testing.T) {
	first, again := inbound(1), inbound(1)
	if messageID(first) != messageID(again) {
		t.Error("the same payment is two messages")
	}
	for name, change := range map[string]func(*bankv1.ReceiveInRequest){
		"key":       func(r *bankv1.ReceiveInRequest) { r.IdempotencyKey += "x" },
		"account":   func(r *bankv1.ReceiveInRequest) { r.ToAccount += "x" },
		"amount":    func(r *bankv1.ReceiveInRequest) { r.AmountMinor++ },
		"reference": func(r *bankv1.ReceiveInRequest) { r.Reference += "x" },
	} {
		other := inbound(1)
		change(other)
		if messageID(other) == messageID(first) {
			t.Errorf("another %s is the same message", name)
		}
	}
}
