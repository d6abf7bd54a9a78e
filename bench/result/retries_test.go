package result

import (
	"slices"
	"testing"

	"breakbank/loadgen"
	"breakbank/loadgen/customers"
)

// TestRetriesAreCountedApart: they are in none of the figures, which are those
// of the same run without them.
func TestRetriesAreCountedApart(t *testing.T) {
	first := steady(customers.CardTap, 0, 30, 20, every(2, loadgen.Failed))
	var again []loadgen.Record
	for _, r := range first {
		if r.Outcome == loadgen.Failed {
			r.Retry, r.Outcome, r.DoneNs = 1, loadgen.OK, r.DoneNs+1e9
			again = append(again, r)
		}
	}
	again[0].Outcome = loadgen.Unknown
	all := inOrder(first, again)
	if got := FirstTries(all); !slices.Equal(got, first) {
		t.Errorf("%d first tries of %d records, want %d", len(got), len(all), len(first))
	}
	if got, want := CountRetries(all), (Counts{Offered: 300, OK: 299, Unknown: 1}); got != want {
		t.Errorf("retries %+v, want %+v", got, want)
	}
	if got := CountRetries(first); got != (Counts{}) {
		t.Errorf("a run without retries has %+v", got)
	}
}

// TestUnusualJourneysAreShownWhereOffered: the six are in every result, and
// pay_session where there was one.
func TestUnusualJourneysAreShownWhereOffered(t *testing.T) {
	usual := []string{"card_tap", "prepaid_tap", "transfer_out", "transfer_in", "app_refresh", "cops_lookup"}
	if got := Journeys(); !slices.Equal(got, usual) {
		t.Errorf("usual are %v", got)
	}
	for _, c := range []struct {
		journey loadgen.Journey
		want    []string
	}{
		{customers.CardTap, usual},
		{customers.PaySession, append(slices.Clone(usual), "pay_session")},
	} {
		records := steady(c.journey, 10, 20, 20, always(loadgen.OK))
		r := Result{Phases: Phases(records, threePhases)}
		if got := r.JourneyNames(); !slices.Equal(got, c.want) {
			t.Errorf("journeys %v, want %v", got, c.want)
		}
		if im := measure(records); len(im.Journeys) != len(c.want) {
			t.Errorf("impact on %v, want %v", im.Journeys, c.want)
		}
	}
	if got := (&Result{}).JourneyNames(); !slices.Equal(got, usual) {
		t.Errorf("a result without phases shows %v", got)
	}
}
