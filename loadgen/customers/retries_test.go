package customers

import (
	"testing"
	"time"

	"breakbank/loadgen"
)

// TestWhoTriesAgain asks each row of a table: who tries again after what, and
// how long after.
func TestWhoTriesAgain(t *testing.T) {
	r := Retries{
		Taps: 2, TapShare: 1, TapAfter: 4 * time.Second,
		Resends: 5, ResendBase: time.Second, ResendMax: 6 * time.Second,
	}
	s := &loadgen.Schedule{Seed: 1}
	failed := loadgen.Decision{Outcome: loadgen.Failed, Code: "91"}
	for j, spec := range WithRetries(Table(), r) {
		if (spec.Again == nil) != (loadgen.Journey(j) == TransferIn) {
			t.Errorf("%s: who tries again is not as it should be", spec.Name)
		}
		if spec.Again == nil {
			continue
		}
		for _, d := range []loadgen.Decision{
			{Outcome: loadgen.OK},
			{Outcome: loadgen.Declined},
			{Outcome: loadgen.Degraded},
			{Outcome: loadgen.Failed, Code: loadgen.CodeLate},
			{Outcome: loadgen.Failed, Code: loadgen.CodeUnbuilt},
		} {
			if _, again := spec.Again(&loadgen.Visit{Schedule: s}, d); again {
				t.Errorf("%s: tries again after %+v", spec.Name, d)
			}
		}
		tries := map[bool]int{true: r.Taps, false: r.Resends}[isTap(loadgen.Journey(j))]
		for retry := range tries + 1 {
			low, high := time.Duration(0), min(r.ResendBase<<retry, r.ResendMax)
			if isTap(loadgen.Journey(j)) {
				low, high = r.TapAfter/2, r.TapAfter*3/2
			}
			longest, shortest := time.Duration(0), time.Hour
			for seq := range 200 {
				after, again := spec.Again(&loadgen.Visit{Schedule: s, Seq: seq, Retry: retry}, failed)
				if again != (retry < tries) || after < 0 || again && (after < low || after > high) {
					t.Fatalf("%s: try %d: again %v after %v, want %v to %v", spec.Name, retry+1, again, after, low, high)
				}
				longest, shortest = max(longest, after), min(shortest, after)
			}
			// Of 200 even draws, one lies in each outer fifth but for once in 10^19.
			if spread := (high - low) / 5; retry < tries && (longest < high-spread || shortest > low+spread) {
				t.Errorf("%s: try %d: pauses of %v to %v, want %v to %v", spec.Name, retry+1, shortest, longest, low, high)
			}
		}
	}
}

func TestSomeWalkAway(t *testing.T) {
	r := Retries{Taps: 1, TapShare: 0.6}
	tried := 0
	const n = 10_000
	for seq := range n {
		v := &loadgen.Visit{Schedule: &loadgen.Schedule{Seed: 3}, Seq: seq}
		if _, again := r.tapAgain(v, loadgen.Decision{Outcome: loadgen.Unknown}); again {
			tried++
		}
	}
	// 5 √(0.6 · 0.4 / n) is 0.0245.
	if share := float64(tried) / n; share < 0.575 || share > 0.625 {
		t.Errorf("%.3f try again, want 0.6", share)
	}
}

func TestLasts(t *testing.T) {
	r := Retries{Taps: 2, TapAfter: 2 * time.Second, Resends: 1, ResendMax: 3 * time.Second}
	for mix, want := range map[Mix]time.Duration{
		Only(TransferIn):               15 * time.Second,
		Only(CardTap):                  (5 + 2*7) * time.Second,
		Only(AppRefresh):               (10 + 13) * time.Second,
		Only(PaySession):               (17 + 20) * time.Second,
		{TransferIn: 1, AppRefresh: 3}: (15 + 3*23) * time.Second / 4,
	} {
		if got := r.Lasts(WithMix(mix)); got != want {
			t.Errorf("%v lasts %v, want %v", mix, got, want)
		}
	}
}
