package report

import (
	"bytes"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"golang.org/x/net/html"

	"breakbank/bench/chart"
	"breakbank/bench/result"
)

// outage is a run of 60 seconds: well for 20, out for 20, well again.
func outage(arm string) *result.Result {
	r := &result.Result{
		Schema: result.Schema, Kind: result.KindReplay, Scenario: "monzo-2017", Arm: arm,
		Fallback: "routed", Seed: 1, RatePerS: 500, Pace: 60, ScheduleSHA256: strings.Repeat("ab", 32),
		Valid: true, Illustrative: true, IllustrativeReasons: []string{"binding_timeout 10 s is 600 s of the incident"},
		Impact: result.Impact{FullOutageS: 18, PartialOutageS: 63, PaymentsFailed: 12345, CustomersAffected: 9876},
	}
	p50, p99 := 4.0, 80.0
	for s := range 60 {
		second := result.Second{TS: float64(s), Clock: fmt.Sprintf("14:%02d", s), Journeys: map[string]result.Journey{}}
		for i, name := range result.Journeys() {
			j := result.Journey{LatencyMs: result.Latency{P50: &p50, P99: &p99}}
			n := int64(10 * (i + 1))
			switch {
			case s >= 20 && s < 40 && i == 0:
				j.Counts = result.Counts{Offered: n, Degraded: n / 2, Failed: n / 2}
			case s >= 20 && s < 40:
				j.Counts = result.Counts{Offered: n, Failed: n - 2, Unknown: 2}
			default:
				j.Counts = result.Counts{Offered: n, OK: n - 1, Declined: 1}
			}
			second.Journeys[name] = j
		}
		state := result.RouterLive
		if s >= 20 && s < 40 {
			state = result.RouterStale
		}
		second.Routers = []result.RouterPoint{{Node: "a1", State: state, AgeMs: 1500}, {Node: "b1", State: result.RouterLive}}
		r.Series = append(r.Series, second)
	}
	for i, name := range []string{"baseline", "total_outage", "recovered"} {
		phase := result.Phase{Name: name, ClockFrom: "14:00", FromS: float64(20 * i), ToS: float64(20 * (i + 1)), Journeys: map[string]result.Journey{}}
		for _, j := range result.Journeys() {
			phase.Journeys[j] = r.Series[20*i].Journeys[j]
		}
		r.Phases = append(r.Phases, phase)
	}
	r.Timeline = []result.Event{
		{TS: 20, Clock: "14:20", Kind: result.EventStep, ID: "dark", Text: "connections <go> dark"},
		{TS: 20, Clock: "14:20", Kind: result.EventStepDone, ID: "dark"},
		{TS: 40, Clock: "14:40", Kind: result.EventStep, ID: "delete", Text: "Service pots deleted"},
	}
	return r
}

func render(t *testing.T, results ...*result.Result) string {
	t.Helper()
	page, err := Render(results...)
	if err != nil {
		t.Fatal(err)
	}
	return string(page)
}

func TestThePageNeedsNothingFromElsewhere(t *testing.T) {
	page := render(t, outage("naive"), outage("guarded"))
	for _, bad := range []string{"http://", "https://", "<script", "src=", "@import", "url("} {
		if strings.Contains(page, bad) {
			t.Errorf("the page contains %q: it would not open offline", bad)
		}
	}
	if strings.Contains(page, "ZgotmplZ") {
		t.Error("the template refused a value")
	}
}

func TestEveryElementIsClosed(t *testing.T) {
	void := map[string]bool{"meta": true, "path": true, "br": true}
	var open []string
	tokens := html.NewTokenizer(strings.NewReader(render(t, outage("naive"))))
	for {
		switch tokens.Next() {
		case html.ErrorToken:
			if len(open) != 0 {
				t.Errorf("left open at the end: %v", open)
			}
			return
		case html.StartTagToken:
			if name, _ := tokens.TagName(); !void[string(name)] {
				open = append(open, string(name))
			}
		case html.EndTagToken:
			name, _ := tokens.TagName()
			if len(open) == 0 || open[len(open)-1] != string(name) {
				t.Fatalf("</%s> closes %v", name, open)
			}
			open = open[:len(open)-1]
		}
	}
}

func TestTheScriptsWordsAreEscapedAndNumbered(t *testing.T) {
	page := render(t, outage("naive"))
	if strings.Contains(page, "<go>") || !strings.Contains(page, "connections &lt;go&gt; dark") {
		t.Error("a step's text is not escaped")
	}
	if n := strings.Count(page, "<li><b>14:"); n != 2 {
		t.Errorf("%d steps are listed; the timeline has 2 (a step's end is not a step)", n)
	}
}

func TestTheComparisonNamesEveryArm(t *testing.T) {
	page := render(t, outage("naive"), outage("guarded"))
	for _, want := range []string{"Same outage, 2 arms", `href="#arm-naive"`, `href="#arm-guarded"`, `id="arm-guarded"`} {
		if !strings.Contains(page, want) {
			t.Errorf("the page lacks %q", want)
		}
	}
	if strings.Contains(render(t, outage("naive")), "Same outage") {
		t.Error("a single result is shown as a comparison")
	}
}

func TestStackFillsExactlyWhatWasOffered(t *testing.T) {
	series := outage("naive").Series
	layers, peak := stack(series, "app_refresh", chart.Scale{From: 0, To: 60})
	if peak != 50 {
		t.Fatalf("peak is %d, want 50", peak)
	}
	// The areas of the layers add up to the area of the offered load.
	var area, offered float64
	for _, l := range layers {
		area += polygonArea(t, l.Path)
	}
	for _, second := range series {
		offered += float64(second.Journeys["app_refresh"].Offered)
	}
	want := offered / float64(peak) * chart.Height * chart.Width / 60
	if math.Abs(area-want) > want/1000 {
		t.Errorf("layers cover %.0f units, offered load is %.0f", area, want)
	}
}

// polygonArea follows a path of M, L and H (shoelace formula).
func polygonArea(t *testing.T, path string) float64 {
	t.Helper()
	var xs, ys []float64
	for _, m := range regexp.MustCompile(`([MLH])([\d.]+)(?: ([\d.]+))?`).FindAllStringSubmatch(path, -1) {
		xs = append(xs, number(t, m[2]))
		if m[1] == "H" {
			ys = append(ys, ys[len(ys)-1])
		} else {
			ys = append(ys, number(t, m[3]))
		}
	}
	var twice float64
	for i := range xs {
		j := (i + 1) % len(xs)
		twice += xs[i]*ys[j] - xs[j]*ys[i]
	}
	return math.Abs(twice) / 2
}

func number(t *testing.T, text string) float64 {
	t.Helper()
	x, err := strconv.ParseFloat(text, 64)
	if err != nil {
		t.Fatal(err)
	}
	return x
}

func TestBandsJoinSecondsOfOneState(t *testing.T) {
	all := bands(outage("naive").Series, "a1", chart.Scale{From: 0, To: 60})
	var got bytes.Buffer
	for _, b := range all {
		fmt.Fprintf(&got, "%s %s %s; ", b.Class, b.Left, b.Width)
	}
	const want = "live 0.00% 33.33%; stale 33.33% 33.33%; live 66.67% 33.33%; "
	if got.String() != want {
		t.Errorf("got  %s\nwant %s", got.String(), want)
	}
}

func TestLatencyAxis(t *testing.T) {
	for ms, want := range map[float64]float64{0.1: 100, 1: 100, 20_000: 0, 90_000: 0} {
		if got := latencyMs.Y(ms); math.Abs(got-want) > 0.01 {
			t.Errorf("%v ms is drawn at %.1f, want %.1f", ms, got, want)
		}
	}
	if !(latencyMs.Y(10) > latencyMs.Y(100) && latencyMs.Y(100) > latencyMs.Y(1000)) {
		t.Error("slower is not drawn higher")
	}
}

func TestSharesNeverRoundToWhatTheyAreNot(t *testing.T) {
	for f, want := range map[float64]string{0: "0 %", 1: "100 %", 0.99999: "99.99 %", 0.00001: "0.01 %", 0.5: "50 %", 0.9985: "99.85 %"} {
		if got := share(f); got != want {
			t.Errorf("share(%v) = %q, want %q", f, got, want)
		}
	}
}

func TestWriteRefusesNothingToSay(t *testing.T) {
	dir := t.TempDir()
	if _, err := Write(dir); err == nil {
		t.Error("a report about no result was written")
	}
	path, err := Write(dir, outage("naive"))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(filepath.Join(dir, FileName)); err != nil || filepath.Base(path) != FileName {
		t.Errorf("the report is not where it was said to be: %s, %v", path, err)
	}
}
