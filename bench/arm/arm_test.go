package arm_test

import (
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"breakbank/bench/arm"
	"breakbank/platform/router"
)

var update = flag.Bool("update", false, "write the golden files anew")

// TestArmsAreRouters has the router itself read the section of every arm.
func TestArmsAreRouters(t *testing.T) {
	for _, name := range arm.Names() {
		a, err := arm.Load(name)
		if err != nil {
			t.Fatal(err)
		}
		if a.Name != name {
			t.Errorf("%s.yaml calls itself %q", name, a.Name)
		}
		if _, err := router.ParseConfig([]byte(a.Router)); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if a.EtcdClient != "pinned" {
			t.Errorf("%s has etcd client %q: arms are compared on the same control plane", name, a.EtcdClient)
		}
	}
}

// TestTheArmsOf2017And2018DifferInTheParserOnly guards the ablation.
func TestTheArmsOf2017And2018DifferInTheParserOnly(t *testing.T) {
	before, err := arm.Load("linkerd-2017")
	if err != nil {
		t.Fatal(err)
	}
	after, err := arm.Load("linkerd-2018")
	if err != nil {
		t.Fatal(err)
	}
	if got := strings.ReplaceAll(before.Router, "parser: linkerd-2017", "parser: linkerd-2018"); got != after.Router {
		t.Errorf("linkerd-2018 is\n%swant\n%s", after.Router, got)
	}
	if before.Fallback != after.Fallback || before.Standin != after.Standin {
		t.Error("the arms reach stand-in in different ways")
	}
}

func TestUnknownArmListsTheValid(t *testing.T) {
	_, err := arm.Load("linkerd-2019")
	if err == nil || !strings.Contains(err.Error(), "valid: naive, linkerd-2017, linkerd-2018, guarded, all") || strings.Contains(err.Error(), "\n") {
		t.Errorf("got %v; want one line that lists the arms", err)
	}
	all, err := arm.LoadAll(arm.All)
	if err != nil || len(all) != len(arm.Names()) {
		t.Errorf("all loads %d arms: %v", len(all), err)
	}
}

func TestFallbackOverride(t *testing.T) {
	a, err := arm.Load("linkerd-2017")
	if err != nil {
		t.Fatal(err)
	}
	if a.FallbackFromStart() {
		t.Error("linkerd-2017 has stand-in on from the start")
	}
	independent, err := a.WithFallback("independent")
	if err != nil || independent.Fallback != "independent" || !independent.FallbackFromStart() {
		t.Errorf("independent: %+v, %v", independent, err)
	}
	if a.Fallback != "routed" {
		t.Error("the override changed the arm itself")
	}
	if _, err := a.WithFallback("maybe"); err == nil || !strings.Contains(err.Error(), "none, routed, independent") {
		t.Errorf("got %v; want a refusal that lists the fallbacks", err)
	}
}

func TestIllustrativeNamesConstantAndPhase(t *testing.T) {
	a := &arm.Arm{Constants: []arm.Constant{
		{Name: "binding_timeout", Value: 10 * time.Second, ActsIn: []string{"short", "long", "unknown"}},
		{Name: "elsewhere", Value: time.Hour, ActsIn: []string{"other"}},
		{Name: "everywhere", Value: 3 * time.Second},
	}}
	phases := map[string]time.Duration{"short": 2 * time.Second, "long": 20 * time.Second}
	got := strings.Join(a.Illustrative(60, []string{"short", "long"}, phases), "\n")
	want := "binding_timeout 10s × pace 60 = 10m0s exceeds short (2m0s)\n" +
		"everywhere 3s × pace 60 = 3m0s exceeds short (2m0s)"
	if got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
	if got := a.Illustrative(1, []string{"long"}, phases); len(got) != 0 {
		t.Errorf("long enough phases are distorted: %v", got)
	}
}

// TestRefused holds every refusal in testdata against its golden text.
func TestRefused(t *testing.T) {
	files, err := filepath.Glob("testdata/refused/*.yaml")
	if err != nil || len(files) == 0 {
		t.Fatalf("no refused arms found: %v", err)
	}
	for _, file := range files {
		name := filepath.Base(file)
		t.Run(strings.TrimSuffix(name, ".yaml"), func(t *testing.T) {
			data, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			_, err = arm.Parse(name, data)
			if err == nil {
				t.Fatal("accepted")
			}
			got := err.Error() + "\n"
			golden := strings.TrimSuffix(file, ".yaml") + ".golden"
			if *update {
				if err := os.WriteFile(golden, []byte(got), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(golden)
			if err != nil {
				t.Fatal(err)
			}
			if got != string(want) {
				t.Errorf("refused with\n%swant\n%s", got, want)
			}
		})
	}
}
