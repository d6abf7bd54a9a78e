package arm_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"breakbank/bench/arm"
	"breakbank/bench/golden"
	"breakbank/platform/router"
)

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
	if err == nil || !strings.Contains(err.Error(), "valid: naive, linkerd-2017, linkerd-2018, guarded, envoy-like, ") || strings.Contains(err.Error(), "\n") {
		t.Errorf("got %v; want one line that lists the arms", err)
	}
	for _, name := range arm.Names() {
		if !strings.Contains(err.Error(), name) {
			t.Errorf("%s is not among the valid arms: %v", name, err)
		}
	}
}

func TestSeveralArms(t *testing.T) {
	for _, c := range []struct{ spec, want string }{
		{"guarded", "guarded"},
		{"all", "naive linkerd-2017 linkerd-2018 guarded"},
		{"dns, oracle", "dns oracle"},
		{"grpc-go,guarded-no-heartbeat", "grpc-go guarded-no-heartbeat"},
		{"every", strings.Join(arm.Names(), " ")},
	} {
		all, err := arm.LoadAll(c.spec)
		var names []string
		for _, a := range all {
			names = append(names, a.Name)
		}
		if got := strings.Join(names, " "); err != nil || got != c.want {
			t.Errorf("%s loads %q, %v; want %q", c.spec, got, err, c.want)
		}
	}
	for spec, want := range map[string]string{
		"dns,dns":         "dns is named twice",
		"all,guarded":     "guarded is named twice",
		"dns,everything":  `unknown arm "everything"; valid: naive,`,
		"":                "or every for all of them",
		"guarded-no-luck": "with commas, or all for naive, linkerd-2017, linkerd-2018, guarded",
	} {
		if _, err := arm.LoadAll(spec); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: got %v, want %q in it", spec, err, want)
		}
	}
}

// TestVariantsDifferByOnePolicy holds each ablation against its base.
func TestVariantsDifferByOnePolicy(t *testing.T) {
	variants := 0
	for _, name := range arm.Names() {
		base, policy, less := strings.Cut(name, "-no-")
		more := false
		if !less {
			base, policy, more = strings.Cut(name, "-plus-")
		}
		if !less && !more {
			continue
		}
		variants++
		a, err := arm.Load(name)
		if err != nil {
			t.Fatal(err)
		}
		b, err := arm.Load(base)
		if err != nil {
			t.Fatal(err)
		}
		if more {
			a, b = b, a // Then b has what a lacks, either way.
		}
		if got := strings.Replace(b.Router, "- "+policy+"\n", "", 1); got != a.Router || a.Router == b.Router {
			t.Errorf("%s is\n%swant\n%s", name, a.Router, got)
		}
		if a.Fallback != b.Fallback || a.Standin != b.Standin || a.EtcdClient != b.EtcdClient {
			t.Errorf("%s differs from %s in more than its policies", name, base)
		}
		for _, c := range a.Constants {
			if c.Policy == policy {
				t.Errorf("%s: constant %s is of a policy that is not there", name, c.Name)
			}
		}
		if lost := len(b.Constants) - len(a.Constants); policy == "heartbeat" && lost != 2 {
			t.Errorf("%s: %d constants come with heartbeat, want 2", name, lost)
		}
	}
	if variants < 10 {
		t.Errorf("only %d variants", variants)
	}
}

func TestArmWithABase(t *testing.T) {
	a, err := arm.Parse("mine.yaml", []byte(`
name: mine
description: As guarded, on three changes.
base: guarded
without: [gossip, heartbeat]
with: [keep-last]
fallback: routed
router:
  strategy: least-request
  binding_timeout: 2s
constants:
  - {name: binding_timeout, value: 2s, source: mine}
`))
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"strategy: least-request", "binding_timeout: 2s", "- shrink-guard", "- keep-last", "max_percent: 50"} {
		if !strings.Contains(a.Router, want) {
			t.Errorf("no %q in\n%s", want, a.Router)
		}
	}
	if strings.Contains(a.Router, "heartbeat") || strings.Contains(a.Router, "gossip") {
		t.Errorf("policies are still in\n%s", a.Router)
	}
	if a.Fallback != "routed" || a.Standin != "from-start" {
		t.Errorf("fallback %s, stand-in %s", a.Fallback, a.Standin)
	}
	times := map[string]time.Duration{}
	for _, c := range a.Constants {
		times[c.Name] = c.Value
	}
	if times["binding_timeout"] != 2*time.Second || times["heartbeat_silence"] != 0 || times["ejection.base"] != 30*time.Second {
		t.Errorf("constants %v", times)
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

func TestBaseMustBeOneThatComesWithBreakbank(t *testing.T) {
	_, err := arm.Parse("mine.yaml", []byte("name: mine\ndescription: A circle.\nbase: mine.yaml\n"))
	if err == nil || !strings.Contains(err.Error(), `mine.yaml:3: base is "mine.yaml"; valid: naive, `) {
		t.Errorf("got %v", err)
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
			golden.Check(t, strings.TrimSuffix(file, ".yaml")+".golden", err.Error()+"\n")
		})
	}
}
