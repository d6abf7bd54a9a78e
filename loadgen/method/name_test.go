package method

import (
	"testing"

	"pgregory.net/rapid"
)

func TestNearNamesComeFirst(t *testing.T) {
	for _, c := range []struct {
		wanted string
		names  []string
		want   string
	}{
		{"getUser", []string{"DeleteUser", "ListUsers", "GetUser"}, "GetUser, DeleteUser, ListUsers"},
		{"bank.Ledger", []string{"other.v1.Feed", "bank.v1.Ledger"}, "bank.v1.Ledger, other.v1.Feed"},
		{"Ledger", []string{"a.Feed", "bank.v1.Ledger"}, "bank.v1.Ledger, a.Feed"},
		{"", []string{"b", "a"}, "a, b"},
		{"a", []string{"a1", "a2", "a3", "a4", "a5", "a6", "a7", "a8", "a9"}, "a1, a2, a3, a4, a5, a6, a7, a8 and 1 more"},
	} {
		if got := near(c.wanted, c.names); got != c.want {
			t.Errorf("near %q are %s, want %s", c.wanted, got, c.want)
		}
	}
}

// TestDistanceIsAMetric: zero for equals only, the same both ways, and never
// shorter by a detour; and one letter more or less changes it by at most one.
func TestDistanceIsAMetric(t *testing.T) {
	if got := distance("kitten", "sitting"); got != 3 {
		t.Errorf("kitten and sitting are %d apart, want 3", got)
	}
	name := rapid.StringMatching("[ab]{0,8}")
	rapid.Check(t, func(r *rapid.T) {
		a, b, c := name.Draw(r, "a"), name.Draw(r, "b"), name.Draw(r, "c")
		switch {
		case (distance(a, b) == 0) != (a == b):
			r.Fatalf("%q and %q are %d apart", a, b, distance(a, b))
		case distance(a, b) != distance(b, a):
			r.Fatalf("%q and %q are as far apart as they are not", a, b)
		case distance(a, c) > distance(a, b)+distance(b, c):
			r.Fatalf("by %q it is shorter from %q to %q", b, a, c)
		case distance(a+"a", b) > distance(a, b)+1 || distance(a+"a", b) < distance(a, b)-1:
			r.Fatalf("a letter more takes %q further from %q than it can", a, b)
		}
	})
}
