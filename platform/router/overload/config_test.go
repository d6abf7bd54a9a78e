package overload

import (
	"os"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/goccy/go-yaml"

	"breakbank/platform/router/balance"
)

// section is `overlays:` of a router's configuration.
type section struct {
	balance.OverlayConfig `yaml:",inline"`
	Config                `yaml:",inline"`
}

func parse(t *testing.T, text string) section {
	t.Helper()
	var s section
	if err := yaml.UnmarshalWithOptions([]byte(text), &s, yaml.Strict()); err != nil {
		t.Fatalf("%s: %v", text, err)
	}
	return section{s.OverlayConfig.WithDefaults(), s.Config.WithDefaults()}
}

// Every overlay of the table can be turned on by its name, is off when it is
// not named, and is right as it comes.
func TestEveryOverlayCanBeNamed(t *testing.T) {
	if keys := reflect.TypeFor[Config]().NumField(); keys != len(Overlays) {
		t.Errorf("%d overlays in the table, %d in the configuration", len(Overlays), keys)
	}
	for _, kind := range Overlays {
		t.Run(kind.Name, func(t *testing.T) {
			c := parse(t, "{"+kind.Name+": {}, slow_start: {}}")
			for _, other := range Overlays {
				if on := other.On(c.Config); on != (other.Name == kind.Name) {
					t.Errorf("%s is on: %v", other.Name, on)
				}
			}
			if c.SlowStart == nil {
				t.Error("the overlays of the other package are lost")
			}
			all := parse(t, "{concurrency: {}, "+strings.ReplaceAll(kind.Name, ReasonConcurrency, ReasonAdmission)+": {}}")
			if err := all.Config.Validate(); err != nil {
				t.Errorf("its defaults are refused: %v", err)
			}
			if kind.On(parse(t, "{}").Config) {
				t.Error("on without being named")
			}
		})
	}
	if c := parse(t, "{concurrency: {max: 5}, admission: {k: 1.5, window: 2s}}"); c.Concurrency.Min != 5 || c.Admission.K != 1.5 || c.Admission.Window != 2*time.Second {
		t.Errorf("%+v, %+v", c.Concurrency, c.Admission)
	}
}

// What is refused is refused with what would be right.
func TestValidate(t *testing.T) {
	for text, want := range map[string]string{
		"concurrency: {min: 30, max: 10}":                       "Netflix's are 20, 20, 200",
		"concurrency: {tolerance: 0.5}":                         "at least 1",
		"breaker: {min_requests: -1}":                           "at least 1",
		"breaker: {fail_percent: 101}":                          "from 1 to 100",
		"breaker: {sleep: -1s}":                                 "positive",
		"breaker: {window: 1ms}":                                "at least 100ms",
		"admission: {k: 1}":                                     "above 1",
		"admission: {window: 1ms}":                              "at least 100ms",
		"{concurrency: {}, criticality: {sheddable: 0.9}}":      "kept longer",
		"criticality: {}":                                       "configure concurrency or admission too",
		"{concurrency: {}, queue: {interval: 1ms, target: 2s}}": "no less",
		"{concurrency: {}, queue: {max: -1}}":                   "at least 1",
		"queue: {}":                                             "configure that too",
		"deadline: {minimum: -1s}":                              "positive",
	} {
		err := parse(t, text).Config.Validate()
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: error %v, want one that mentions %q", text, err, want)
		}
	}
}

func TestCriticalityNames(t *testing.T) {
	for i, l := range Levels {
		if int(l.Criticality) != i || ParseCriticality(l.Name) != l.Criticality || l.Criticality.String() != l.Name {
			t.Errorf("level %d is %+v", i, l)
		}
	}
	for _, unknown := range []string{"", "sheddable", "URGENT"} {
		if got := ParseCriticality(unknown); got != Critical {
			t.Errorf("%q is %v, want %v", unknown, got, Critical)
		}
	}
}

func TestNoDeadlineRule(t *testing.T) {
	d := NewDeadlines(nil)
	d.Answered(epoch, time.Second)
	if left, ok := d.Left(epoch, time.Second, 999*time.Millisecond); !ok || left != time.Millisecond {
		t.Errorf("%v left, sent %v", left, ok)
	}
	if _, ok := d.Left(epoch, time.Second, time.Second); ok {
		t.Error("sent with nothing left")
	}
}

// The page explains every overlay there is.
func TestThePageKnowsThemAll(t *testing.T) {
	page, err := os.ReadFile("../../../docs/overlays.md")
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, kind := range Overlays {
		names = append(names, kind.Name)
	}
	for _, kind := range balance.Overlays {
		names = append(names, kind.Name)
	}
	for _, name := range names {
		if !strings.Contains(string(page), "| `"+name+"` |") {
			t.Errorf("docs/overlays.md has no line for %s", name)
		}
	}
}
