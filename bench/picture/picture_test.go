package picture

import (
	"path/filepath"
	"testing"

	"pgregory.net/rapid"

	"breakbank/bench/golden"
	"breakbank/bench/result"
)

// counts are a hundred journeys: so many percent ok, so many by a fallback.
func counts(ok, degraded int64) result.Counts {
	return result.Counts{Offered: 100, OK: ok, Degraded: degraded, Failed: 100 - ok - degraded}
}

func TestBands(t *testing.T) {
	for _, c := range []struct {
		counts result.Counts
		want   string
	}{
		{counts(100, 0), "well"},
		{counts(99, 0), "well"},
		{counts(98, 0), "partial"},
		{counts(50, 0), "partial"},
		{counts(49, 0), "failing"},
		{counts(5, 0), "failing"},
		{counts(4, 0), "dead"},
		{counts(0, 0), "dead"},
		{counts(0, 100), "well, fallback"},
		{counts(1, 65), "partial, fallback"},
		{counts(30, 40), "partial, part fallback"},
		{counts(96, 4), "well"},
		{counts(0, 4), "dead"},
		{result.Counts{Offered: 100, Declined: 99, Failed: 1}, "well"},
		{result.Counts{Offered: 100, OK: 60, Unknown: 40}, "partial"},
		{result.Counts{Offered: countMin - 1, OK: countMin - 1}, "few"},
		{result.Counts{}, "few"},
	} {
		if got := cellOf(c.counts).String(); got != c.want {
			t.Errorf("%+v is %q, want %q", c.counts, got, c.want)
		}
	}
}

func TestWhatIsDifferent(t *testing.T) {
	large := func(ok, degraded int64) result.Counts {
		c := counts(ok, degraded)
		return result.Counts{Offered: 100 * c.Offered, OK: 100 * c.OK, Degraded: 100 * c.Degraded, Failed: 100 * c.Failed}
	}
	for _, c := range []struct {
		name string
		a, b result.Counts
		want bool
	}{
		{"the same", large(66, 0), large(66, 0), false},
		{"both in one band", large(55, 0), large(85, 0), false},
		{"either side of a bound", large(48, 0), large(55, 0), false},
		{"far on the other side", large(30, 0), large(61, 0), true},
		{"a band apart, and not far", large(38, 0), large(51, 0), false},
		{"a band apart, and far", large(49, 0), large(65, 0), true},
		{"one in a hundred", large(100, 0), large(98, 0), false},
		{"three journeys", counts(100, 0), counts(97, 0), false},
		{"four journeys", counts(100, 0), counts(96, 0), true},
		{"three in a hundred", large(100, 0), large(97, 0), true},
		{"dead or failing", large(1, 0), large(20, 0), true},
		{"two bands apart", large(0, 0), large(99, 0), true},
		{"another answered", large(66, 0), large(1, 65), true},
		{"another answered some", large(100, 0), large(80, 20), true},
		{"a fallback gave much or most", large(70, 30), large(20, 80), false},
		{"of a few answers, another's", counts(20, 0), counts(0, 20), false},
		// As seen in control_plane_restart of two replays in processes.
		{
			"fewer of not many",
			result.Counts{Offered: 97, Degraded: 62, Declined: 2, Failed: 33},
			result.Counts{Offered: 77, Degraded: 38, Failed: 39},
			false,
		},
		{
			"far fewer of not many",
			result.Counts{Offered: 97, Degraded: 62, Declined: 2, Failed: 33},
			result.Counts{Offered: 77, Degraded: 36, Failed: 41},
			true,
		},
		{"too few to tell", large(100, 0), result.Counts{Offered: 10, Failed: 10}, false},
	} {
		a, b := cellOf(c.a), cellOf(c.b)
		if got := !a.same(b); got != c.want {
			t.Errorf("%s: %v and %v differ: %v, want %v", c.name, a, b, got, c.want)
		}
	}
}

// TestSameIsFair: it does not depend on the order, and everything is like
// itself.
func TestSameIsFair(t *testing.T) {
	cells := rapid.Custom(func(t *rapid.T) Cell {
		n := rapid.Int64Range(0, 2000).Draw(t, "offered")
		ok := rapid.Int64Range(0, n).Draw(t, "ok")
		degraded := rapid.Int64Range(0, n-ok).Draw(t, "degraded")
		return cellOf(result.Counts{Offered: n, OK: ok, Degraded: degraded, Failed: n - ok - degraded})
	})
	rapid.Check(t, func(t *rapid.T) {
		a, b := cells.Draw(t, "a"), cells.Draw(t, "b")
		if !a.same(a) {
			t.Errorf("%+v is not like itself", a)
		}
		if a.same(b) != b.same(a) {
			t.Errorf("%+v and %+v: the order tells", a, b)
		}
		if a.Band == b.Band && a.Band != Few && !bandScale.same(a.Answered, b.Answered, float64(min(a.Offered, b.Offered))) {
			t.Errorf("%+v and %+v are of one band and differ in it", a, b)
		}
	})
}

// replayed is a result with a phase a row of counts, for card_tap and
// prepaid_tap.
func replayed(topology string, phases map[string][2]result.Counts, order ...string) *result.Result {
	r := &result.Result{
		RunID: "20171027-135500-" + topology, Scenario: "monzo-2017", Arm: "linkerd-2017", Fallback: "routed",
		Topology: topology, Pace: 60, ScheduleSHA256: "x", Valid: true,
	}
	for _, name := range order {
		r.Phases = append(r.Phases, result.Phase{Name: name, Journeys: map[string]result.Journey{
			"card_tap": {Counts: phases[name][0]}, "prepaid_tap": {Counts: phases[name][1]},
		}})
	}
	return r
}

func TestComparison(t *testing.T) {
	incident := map[string][2]result.Counts{
		"setup":        {{Offered: 9, OK: 9}, {Offered: 3, OK: 3}},
		"baseline":     {counts(99, 0), counts(100, 0)},
		"rollback":     {counts(1, 0), counts(100, 0)},
		"restart_all":  {counts(1, 65), counts(64, 0)},
		"total_outage": {counts(0, 0), counts(0, 0)},
		"recovered":    {counts(100, 0), counts(100, 0)},
	}
	order := []string{"setup", "baseline", "rollback", "restart_all", "total_outage", "recovered"}
	other := map[string][2]result.Counts{}
	for name, row := range incident {
		other[name] = row
	}
	single := replayed("single", incident, order...)

	t.Run("same", func(t *testing.T) {
		other["baseline"] = [2]result.Counts{counts(98, 0), counts(100, 0)}
		other["restart_all"] = [2]result.Counts{counts(2, 63), counts(70, 0)}
		c := Compare(single, replayed("processes", other, order...))
		if c.Differences != 0 {
			t.Errorf("%d differences", c.Differences)
		}
		golden.Check(t, filepath.Join("testdata", "same.golden"), Text(c))
	})
	t.Run("different", func(t *testing.T) {
		other["rollback"] = [2]result.Counts{counts(72, 0), counts(100, 0)}
		other["restart_all"] = [2]result.Counts{counts(66, 0), counts(64, 0)}
		invalid := replayed("processes", other, append(order[:5:5], "afterwards")...)
		invalid.Valid, invalid.InvalidReasons = false, []string{"the audit failed"}
		c := Compare(single, invalid)
		if c.Differences != 4 {
			t.Errorf("%d differences, want 2 cells and 2 phases", c.Differences)
		}
		golden.Check(t, filepath.Join("testdata", "different.golden"), Text(c))
	})
}

func TestAPictureHasEveryPhase(t *testing.T) {
	r := replayed("single", nil, "setup", "baseline")
	if got := Of(r); len(got) != 2 || got[1].Name != "baseline" || got[1].Cells["card_tap"].Band != Few {
		t.Errorf("%+v", got)
	}
}

// TestTransitionsAreFeltOrNot: how far a journey falls while something changes
// hands says how long that took; that it falls at all is the story.
func TestTransitionsAreFeltOrNot(t *testing.T) {
	cell := func(ok int64) Cell { return cellOf(result.Counts{Offered: 100, OK: ok, Failed: 100 - ok}) }
	for _, c := range []struct {
		phase string
		a, b  int64
		same  bool
	}{
		{"deploy", 11, 51, true},
		{"deploy", 3, 80, true},
		{"deploy", 51, 100, false},
		{"recovering", 100, 40, false},
		{"rollback", 11, 51, false},
		{"rollback", 3, 80, false},
	} {
		if got := sameIn(c.phase, false, cell(c.a), cell(c.b)); got != c.same {
			t.Errorf("%s: %d and %d of 100 answered: same is %v", c.phase, c.a, c.b, got)
		}
	}
}

// TestARecoveryIsAsLongAsRoutersWait: of two replays with an outage one may come
// back before anything more is felt, the other not. That a replay without one
// felt something is the story.
func TestARecoveryIsAsLongAsRoutersWait(t *testing.T) {
	order := []string{"baseline", "total_outage", "recovering", "recovered"}
	played := func(outage, recovering int64) *result.Result {
		return replayed("single", map[string][2]result.Counts{
			"baseline": {counts(100, 0), counts(100, 0)}, "total_outage": {counts(outage, 0), {Offered: 3}},
			"recovering": {counts(100, 0), counts(recovering, 0)}, "recovered": {counts(100, 0), counts(100, 0)},
		}, order...)
	}
	for _, c := range []struct {
		name        string
		a, b        *result.Result
		differences int
	}{
		{"both have an outage", played(0, 100), played(0, 76), 0},
		{"neither has one", played(100, 100), played(100, 76), 1},
		{"one has", played(0, 76), played(100, 100), 2},
	} {
		if got := Compare(c.a, c.b).Differences; got != c.differences {
			t.Errorf("%s: %d differences, want %d", c.name, got, c.differences)
		}
	}
}
