package cardnet

import (
	"fmt"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"breakbank/services/bank"
)

func TestReversalIsResentUntilAcknowledged(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t)
		b.primary.takes = time.Minute
		b.primary.refuse = 7
		if _, err := b.Authorise(t.Context(), payment("k", false)); err != nil {
			t.Fatal(err)
		}
		b.idle(t)
		if got := b.primary.wasReversed(); !slices.Equal(got, []string{"k"}) {
			t.Errorf("reversed %v, want k once", got)
		}
		if tries := len(b.primary.reverseAt); tries != 8 {
			t.Errorf("%d attempts, want 8", tries)
		}
	})
}

func TestReversalsAreSpacedOut(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t)
		const payments = 3 * reversalsPerSecondMax
		for n := range payments {
			if !b.reversals.reserve() {
				t.Fatal("no place")
			}
			b.reversals.add(b.cardauth.reversals, reversal{keys: []string{fmt.Sprint(n)}, card: bank.CardNumber(1)})
		}
		b.idle(t)
		if got := len(b.primary.wasReversed()); got != payments {
			t.Fatalf("%d reversed, want %d", got, payments)
		}
		at := b.primary.reverseAt
		slices.SortFunc(at, time.Time.Compare)
		burst := reversalsPerSecondMax / 10
		for n := reversalsPerSecondMax + burst; n < len(at); n++ {
			if at[n].Sub(at[n-reversalsPerSecondMax-burst]) < time.Second-time.Millisecond {
				t.Fatalf("more than %d within a second", reversalsPerSecondMax+burst)
			}
		}
	})
}

// A prepaid processor that is away must not hold up the other's reversals.
func TestProcessorsDoNotWaitForEachOther(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t)
		b.prepaid.refuse = 1 << 30
		for n := range 10 * sendersPerProcessor {
			b.reversals.reserve()
			b.reversals.add(b.service.prepaid.reversals, reversal{keys: []string{fmt.Sprint("p", n)}})
		}
		b.reversals.reserve()
		b.reversals.add(b.cardauth.reversals, reversal{keys: []string{"c"}})
		pause(t.Context(), time.Second)
		if got := b.primary.wasReversed(); !slices.Equal(got, []string{"c"}) {
			t.Errorf("cardauth had %v reversed, want c", got)
		}
	})
}

func TestCloseDeliversWhatIsPending(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t)
		b.primary.refuse = 3
		b.reversals.reserve()
		b.reversals.add(b.cardauth.reversals, reversal{keys: []string{"k"}})
		if err := b.reversals.close(t.Context()); err != nil {
			t.Fatal(err)
		}
		if got := b.primary.wasReversed(); !slices.Equal(got, []string{"k"}) {
			t.Errorf("reversed %v", got)
		}
	})
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t)
		b.primary.refuse = 1 << 30
		b.reversals.reserve()
		b.reversals.add(b.cardauth.reversals, reversal{keys: []string{"k"}})
		began := time.Now()
		if err := b.reversals.close(t.Context()); err == nil {
			t.Error("a reversal was lost and nobody was told")
		}
		if took := time.Since(began); took > flushMax {
			t.Errorf("took %v", took)
		}
	})
}

// A payment sent again while its reversal waits must not be approved on the
// strength of a hold that is about to go.
func TestSentAgainWhileBeingReversed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t)
		b.primary.takes, b.primary.refuse = time.Minute, 1<<30
		send := func(want, by string) {
			t.Helper()
			got, err := b.Authorise(t.Context(), payment("k", false))
			if err != nil || got.GetResponseCode() != want || got.GetDecidedBy() != by {
				t.Errorf("got %v, %v; want %s by %s", got, err, want, by)
			}
		}
		send(bank.IssuerInoperative, serviceName)
		b.primary.takes = 0
		send(bank.IssuerInoperative, serviceName)
		b.standInOn(t)
		send(bank.Approved, standInName)
		if b.primary.asked != 1 {
			t.Errorf("the primary was asked %d times", b.primary.asked)
		}
	})
}
