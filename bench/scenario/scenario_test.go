package scenario_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"breakbank/bench/golden"
	"breakbank/bench/scenario"
)

// TestRefused holds every refusal in testdata/refused against its golden
// text: file, line, what is wrong, what would be valid.
func TestRefused(t *testing.T) {
	files, err := filepath.Glob("testdata/refused/*.yaml")
	if err != nil || len(files) == 0 {
		t.Fatalf("no refused scenarios found: %v", err)
	}
	for _, file := range files {
		name := filepath.Base(file)
		t.Run(strings.TrimSuffix(name, ".yaml"), func(t *testing.T) {
			data, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			_, err = scenario.Parse(name, data, scenario.DefaultTargets)
			if err == nil {
				t.Fatal("accepted")
			}
			golden.Check(t, strings.TrimSuffix(file, ".yaml")+".golden", err.Error()+"\n")
		})
	}
}

func load(t *testing.T, name string) *scenario.Scenario {
	t.Helper()
	s, err := scenario.Load(name, scenario.DefaultTargets)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func plan(t *testing.T, name string, pace float64, without ...string) *scenario.Plan {
	t.Helper()
	p, err := load(t, name).Plan(pace, without)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// phases2017 is measurement.md's list, in its order.
var phases2017 = []string{
	"setup", "baseline", "dark_registry", "deploy", "rollback", "restart_one", "restart_all",
	"control_plane_restart", "total_outage", "recovering", "recovered",
}

func TestEveryScenarioPlaysAtItsPace(t *testing.T) {
	for _, name := range scenario.Names() {
		s := load(t, name)
		if s.Name != name {
			t.Errorf("%s.yaml calls itself %q", name, s.Name)
		}
		if _, err := s.Plan(s.Pace, nil); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if got, want := strings.Join(s.PhaseNames(), " "), strings.Join(phases2017, " "); got != want {
			t.Errorf("%s: phases %s, want %s", name, got, want)
		}
	}
}

// TestMonzo2017Clock holds the script against the timeline of the incident.
func TestMonzo2017Clock(t *testing.T) {
	want := map[string]string{
		"full-load": "13:55:00", "go-dark": "14:04:00", "deploy-ledger": "14:10:00", "rollback-ledger": "14:12:00",
		"restart-c1": "14:18:00", "standin-on": "14:26:00", "restart-c2": "14:26:00", "restart-b2": "14:31:00",
		"restart-apiservers": "14:37:00", "restart-a2": "14:46:00", "restart-b1": "15:00:00", "restart-a1": "15:13:00",
		"find-cause": "15:27:00", "delete-pots": "15:31:00",
	}
	p := plan(t, "monzo-2017", 60)
	for _, step := range p.Steps {
		clock, onClock := want[step.ID]
		if !onClock {
			continue
		}
		delete(want, step.ID)
		if got := scenario.ClockText(p.ClockStart + p.Paced(step.Due)); got != clock {
			t.Errorf("%s at %s, want %s", step.ID, got, clock)
		}
	}
	if len(want) > 0 {
		t.Errorf("steps missing: %v", want)
	}
	if p.Aftermath != 15*time.Second {
		t.Errorf("aftermath lasts %v at pace 60, want 15 s", p.Aftermath)
	}
	if got, want := p.MainMax(), (96+10+15)*time.Second; got != want {
		t.Errorf("main load for at most %v, want %v", got, want)
	}
}

// TestVariantsHoldTheSameSteps keeps the variants to the script they vary:
// same steps, same mechanisms, other times.
func TestVariantsHoldTheSameSteps(t *testing.T) {
	steps := func(name string) string {
		var b strings.Builder
		for _, step := range load(t, name).Steps {
			b.WriteString(step.ID + " " + strings.Join(step.Mechanisms, ",") + " opens " + step.Opens + "\n")
		}
		return b.String()
	}
	for _, name := range []string{"monzo-2017-short", "monzo-2017-late"} {
		if got, want := steps(name), steps("monzo-2017"); got != want {
			t.Errorf("%s has steps\n%swant\n%s", name, got, want)
		}
	}
	dark := plan(t, "monzo-2017-late", 60).PhaseLengths()["dark_registry"]
	if got := 60 * dark; got < 4990*time.Millisecond || got > 5010*time.Millisecond {
		t.Errorf("monzo-2017-late is dark for %v of its own time before the deploy, want 5 s", got)
	}
}

func TestShortFitsItsTime(t *testing.T) {
	p := plan(t, "monzo-2017-short", 60)
	lengths := p.PhaseLengths()
	for _, phase := range p.Scenario.Phases {
		length, known := lengths[phase.Name]
		if known && length < 1500*time.Millisecond {
			t.Errorf("phase %s lasts %v, want ≥ 1.5 s", phase.Name, length)
		}
	}
	if lengths["dark_registry"] < 4*time.Second || lengths["total_outage"] < 6*time.Second {
		t.Errorf("dark_registry %v, total_outage %v: want ≥ 4 s and ≥ 6 s", lengths["dark_registry"], lengths["total_outage"])
	}
	// The rest of the 35 s is for start-up, setup, the settling after
	// `recovering`, and the audit, some 4 s.
	if got := p.MainMax(); got > 31*time.Second {
		t.Errorf("the script takes up to %v, want ≤ 31 s", got)
	}
}

func TestPaceTooFastNamesThePhases(t *testing.T) {
	_, err := load(t, "monzo-2017").Plan(120, nil)
	if err == nil {
		t.Fatal("pace 120 accepted")
	}
	for _, want := range []string{"phase deploy would last 1.00 s and needs 1.50 s", "phase dark_registry", "the highest pace is 80"} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("%q does not say %q", err, want)
		}
	}
	if _, err := load(t, "monzo-2017").Plan(80, nil); err != nil {
		t.Errorf("the pace it calls the highest is refused: %v", err)
	}
	for _, pace := range []float64{0, -1} {
		if _, err := load(t, "monzo-2017").Plan(pace, nil); err == nil {
			t.Errorf("pace %v accepted", pace)
		}
	}
}

func TestWithout(t *testing.T) {
	skipped := func(without ...string) string {
		var ids []string
		for _, step := range plan(t, "monzo-2017-short", 60, without...).Steps {
			if step.Skipped {
				ids = append(ids, step.ID)
			}
		}
		return strings.Join(ids, " ")
	}
	for _, c := range []struct{ without, want string }{
		{"pots", "deploy-pots empty-pots delete-pots"},
		{"dark", "go-dark"},
		{"restart-c1", "restart-c1"},
	} {
		if got := skipped(c.without); got != c.want {
			t.Errorf("--without %s skips %q, want %q", c.without, got, c.want)
		}
	}
	for _, name := range []string{"kettle", "full-load", "aftermath", ""} {
		_, err := load(t, "monzo-2017").Plan(60, []string{name})
		if err == nil || !strings.Contains(err.Error(), "mechanisms: grow, pots, dark") {
			t.Errorf("--without %q: %v; want a refusal that lists the mechanisms", name, err)
		}
	}
}

func TestLoadUnknown(t *testing.T) {
	_, err := scenario.Load("monzo-2018", scenario.DefaultTargets)
	if err == nil || !strings.Contains(err.Error(), "monzo-2017, monzo-2017-late, monzo-2017-short") || strings.Contains(err.Error(), "\n") {
		t.Errorf("got %v; want one line that lists the scenarios", err)
	}
	if _, err := scenario.Load("testdata/small.yaml", scenario.DefaultTargets); err != nil {
		t.Errorf("a scenario of the user's own: %v", err)
	}
}
