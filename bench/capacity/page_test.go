package capacity

import (
	"encoding/json"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"testing/synctest"

	"pgregory.net/rapid"

	"breakbank/bench/load"
	"breakbank/bench/stats"
)

func TestThePageStandsAlone(t *testing.T) {
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		r, _, err := search(t, t.Context(), options(t), newQueue(1234))
		if err != nil {
			t.Fatal(err)
		}
		if err := Write(dir, r); err != nil {
			t.Fatal(err)
		}
	})
	html, err := os.ReadFile(filepath.Join(dir, PageName))
	if err != nil {
		t.Fatal(err)
	}
	if outside := regexp.MustCompile(`(src|href)=|url\(|@import|https?:`).Find(html); outside != nil {
		t.Errorf("the page refers to something outside: %s", outside)
	}
	for what, want := range map[string]int{"<svg": 3, `class="dot met"`: 5, `class="dot missed"`: 5, `class="dot p99"`: curvePoints, `class="line bound"`: 1} {
		if n := strings.Count(string(html), what); n < want {
			t.Errorf("%d times %s, want %d", n, what, want)
		}
	}
	data, err := os.ReadFile(filepath.Join(dir, ResultName))
	if err != nil {
		t.Fatal(err)
	}
	if !json.Valid(data) {
		t.Error("result.json is no JSON")
	}
	if err := Write(filepath.Join(dir, "missing"), &Result{}); err == nil {
		t.Error("it wrote to where there is no directory")
	}
}

// TestAnyResultIsDrawn whatever it lacks: nothing measured, one probe, no
// latency, nothing valid.
func TestAnyResultIsDrawn(t *testing.T) {
	rates := rapid.Custom(func(t *rapid.T) Probe {
		p := Probe{
			Phase:    rapid.SampledFrom([]Phase{Climb, Narrow, Confirm, Curve}).Draw(t, "phase"),
			RatePerS: rapid.Float64Range(0.001, rateLimit).Draw(t, "rate"),
			Outcome:  rapid.SampledFrom([]Outcome{Met, Missed, Invalid}).Draw(t, "outcome"),
			GoodPerS: rapid.Float64Range(0, rateLimit).Draw(t, "good"),
		}
		for _, ms := range []**float64{&p.LatencyMs.P50, &p.LatencyMs.P99, &p.LatencyMs.Max} {
			if rapid.Bool().Draw(t, "told") {
				v := rapid.Float64Range(0, 1e5).Draw(t, "ms")
				*ms = &v
			}
		}
		return p
	})
	rapid.Check(t, func(t *rapid.T) {
		r := &Result{
			Scenario: "<script>", Probes: rapid.SliceOfN(rates, 0, 20).Draw(t, "probes"),
			End:         rapid.SampledFrom([]End{Found, ByMax, ByGenerator, Nothing, Stopped}).Draw(t, "end"),
			AtLeastPerS: rapid.Float64Range(0, 100).Draw(t, "least"), boundMs: rapid.Float64Range(0, 1000).Draw(t, "bound"),
		}
		if rapid.Bool().Draw(t, "found") {
			low := rapid.Float64Range(0.001, rateLimit).Draw(t, "low")
			r.CapacityPerS = &stats.Estimate{Value: 1.1 * low, Low: low, High: 1.2 * low}
		}
		html, err := Render(r)
		if err != nil {
			t.Fatal(err)
		}
		for _, wrong := range []string{"NaN", "Inf", "<script", "ZgotmplZ", "<nil>"} {
			if strings.Contains(string(html), wrong) {
				t.Fatalf("%s in the page", wrong)
			}
		}
		if text := Text(r); strings.Contains(text, "NaN") || strings.Contains(text, "%!") {
			t.Fatal(text)
		}
	})
}

func TestHeadlines(t *testing.T) {
	p99 := 140.0
	for want, r := range map[string]*Result{
		"1,234/s (95 %: 1,200–1,300)":                             {End: Found, CapacityPerS: &stats.Estimate{Value: 1234, Low: 1200, High: 1300}},
		"12.3/s (95 %: 12–13.5)":                                  {End: Found, CapacityPerS: &stats.Estimate{Value: 12.34, Low: 12, High: 13.5}},
		"at least 900/s; the generator was the limit":             {End: ByGenerator, AtLeastPerS: 900, BelowPerS: 950},
		"at least 1,000/s: the highest rate that was to be tried": {End: ByMax, AtLeastPerS: 1000},
		"less than 10/s: not even that met it":                    {End: Nothing, BelowPerS: 10},
		"between 400 and 800/s, as far as it went":                {End: Stopped, AtLeastPerS: 400, BelowPerS: 800},
		"at least 400/s, as far as it went":                       {End: Stopped, AtLeastPerS: 400},
		"nothing was found":                                       {End: Stopped},
	} {
		if got := headline(r); got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
	line := Progress{Number: 3, Probe: Probe{
		Phase: Climb, RatePerS: 800, Outcome: Missed, LatencyMs: load.Latency{P99: &p99},
		Conditions: []Condition{{Condition: "p99<100ms", Value: &p99, Unit: "ms", words: "p99<100ms: 140 ms"}},
	}, Left: 61e9}.String()
	if want := "probe 3, climb: 800/s missed p99<100ms: 140 ms; about 1m1s left"; line != want {
		t.Errorf("%q, want %q", line, want)
	}
}
