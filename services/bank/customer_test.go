package bank_test

import (
	"slices"
	"testing"

	bookv1 "breakbank/proto/book/v1"
	"breakbank/services/bank"
)

func TestIdentifiersGoBothWays(t *testing.T) {
	for _, i := range []int{0, 1, 42, bank.Customers - 1} {
		c := bank.CustomerAt(i)
		if got, err := bank.CustomerIndex(c.ID); err != nil || got != i {
			t.Errorf("CustomerIndex(%q) = %d, %v; want %d", c.ID, got, err, i)
		}
		if got, err := bank.AccountIndex(c.Account); err != nil || got != i {
			t.Errorf("AccountIndex(%q) = %d, %v; want %d", c.Account, got, err, i)
		}
		for _, card := range []struct {
			number  string
			prepaid bool
		}{{c.CardNumber, false}, {c.PrepaidNumber, true}} {
			got, prepaid, err := bank.ParseCard(card.number)
			if err != nil || got != i || prepaid != card.prepaid {
				t.Errorf("ParseCard(%q) = %d, %t, %v; want %d, %t", card.number, got, prepaid, err, i, card.prepaid)
			}
		}
	}
	for _, id := range []string{"", "c1", "c10000", "c-0001", "x00001", "c00001 "} {
		if _, err := bank.CustomerIndex(id); bank.KindOf(err) != bank.NotFound {
			t.Errorf("CustomerIndex(%q): %v, want not found", id, err)
		}
	}
}

func TestParseCardRefuses(t *testing.T) {
	good := bank.CardNumber(7)
	mistyped := []byte(good)
	mistyped[10] = '0' + (mistyped[10]-'0'+1)%10
	swapped := []byte(bank.CardNumber(1234))
	swapped[12], swapped[13] = swapped[13], swapped[12]
	for name, number := range map[string]string{
		"empty":             "",
		"too short":         good[:15],
		"too long":          good + "0",
		"a letter":          "x" + good[1:],
		"one digit off":     string(mistyped),
		"two swapped":       string(swapped),
		"another bank's":    "4539578763621486", // passes its check digit
		"not a digit ascii": "53552200000000٠",
	} {
		if i, _, err := bank.ParseCard(number); bank.KindOf(err) != bank.NotFound || err == nil {
			t.Errorf("%s: ParseCard(%q) = %d, %v; want not found", name, number, i, err)
		}
	}
}

func TestMaskCardShowsOnlyEnds(t *testing.T) {
	if got, want := bank.MaskCard("5355220000000071"), "535522******0071"; got != want {
		t.Errorf("MaskCard = %q, want %q", got, want)
	}
	if got, want := bank.MaskCard("1234567890"), "**********"; got != want {
		t.Errorf("MaskCard of something short = %q, want %q", got, want)
	}
}

func TestSeedIsTheSameEveryTime(t *testing.T) {
	for _, store := range []string{bank.StoreLedger, bank.StorePrepaid, bank.StoreCards} {
		first, second := bank.SeedOperations(store), bank.SeedOperations(store)
		if len(first) != bank.Customers {
			t.Fatalf("%s: %d operations, want %d", store, len(first), bank.Customers)
		}
		seen := make(map[string]bool, len(first))
		for n, op := range first {
			if op.GetKind() != bookv1.OperationKind_OPERATION_KIND_OPEN || op.GetAmountMinor() < 0 {
				t.Fatalf("%s: operation %d is %v", store, n, op)
			}
			if other := second[n]; op.GetDebitAccount() != other.GetDebitAccount() ||
				op.GetAmountMinor() != other.GetAmountMinor() || op.GetState() != other.GetState() {
				t.Fatalf("%s: operation %d differs: %v, %v", store, n, op, other)
			}
			if seen[op.GetKey()] {
				t.Fatalf("%s: key %q twice", store, op.GetKey())
			}
			seen[op.GetKey()] = true
		}
	}
	if ops := bank.SeedOperations("another"); ops != nil {
		t.Errorf("a store that is not ours has %d operations", len(ops))
	}
}

// The figures in seed.go's comments, so that they stay true. Bounds are four
// standard deviations of a binomial draw of 10,000.
func TestSeedHasTheStatedShape(t *testing.T) {
	var frozen, expired, low, empty, prepaidFrozen int
	balances := make([]int64, bank.Customers)
	for i := range balances {
		c := bank.CustomerAt(i)
		balances[i] = c.OpeningMinor
		switch c.CardState {
		case bank.StateFrozen:
			frozen++
		case bank.StateExpired:
			expired++
		}
		if c.PrepaidState == bank.StateFrozen {
			prepaidFrozen++
		}
		if c.CardState == bank.StateExpired {
			if c.DailyLimitMinor != 0 {
				t.Errorf("%s has expired and may spend %s", c.ID, bank.Pounds(c.DailyLimitMinor))
			}
		} else if c.DailyLimitMinor < 100_00 {
			low++
		}
		if c.OpeningMinor < 5_00 {
			empty++
		}
	}
	for _, share := range []struct {
		name           string
		got, low, high int
	}{
		{"frozen", frozen, 22, 78},
		{"expired", expired, 8, 52},
		{"low limit", low, 144, 256},
		{"nearly empty", empty, 144, 256},
		{"prepaid frozen", prepaidFrozen, 3, 38},
	} {
		if share.got < share.low || share.got > share.high {
			t.Errorf("%s: %d customers, want %d to %d", share.name, share.got, share.low, share.high)
		}
	}
	slices.Sort(balances)
	if median := balances[len(balances)/2]; median < 750_00 || median > 850_00 {
		t.Errorf("median balance %s, want about £800", bank.Pounds(median))
	}
}
