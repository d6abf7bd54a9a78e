package pacer

import (
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"breakbank/loadgen"

	"pgregory.net/rapid"
)

func TestParse(t *testing.T) {
	for spec, want := range map[string]loadgen.Pacer{
		"poisson":                    Poisson{PerS: 200},
		"poisson:0.5":                Poisson{PerS: 0.5},
		"poisson:2x":                 Poisson{PerS: 400},
		"constant":                   Constant{PerS: 200},
		"constant:1e3":               Constant{PerS: 1000},
		"ramp:0..1000/30s":           Ramp{FromPerS: 0, ToPerS: 1000, Over: 30 * time.Second},
		"ramp:0.5..1.5/1m30s":        Ramp{FromPerS: 0.5, ToPerS: 1.5, Over: 90 * time.Second},
		"ramp:0x..2x/10s":            Ramp{FromPerS: 0, ToPerS: 400, Over: 10 * time.Second},
		"step:100..900@5s":           Step{FromPerS: 100, ToPerS: 900, At: 5 * time.Second},
		"burst:250..1500/200ms/1s":   Burst{BasePerS: 250, PeakPerS: 1500, For: 200 * time.Millisecond, Every: time.Second},
		"sine:500+-400/60s":          Sine{MeanPerS: 500, SwingPerS: 400, Period: time.Minute},
		"sine:1x+-0.5x/1h":           Sine{MeanPerS: 200, SwingPerS: 100, Period: time.Hour},
		"burst:1x..3x/100ms/500ms":   Burst{BasePerS: 200, PeakPerS: 600, For: 100 * time.Millisecond, Every: 500 * time.Millisecond},
		"step:1x..10@0s":             Step{FromPerS: 200, ToPerS: 10},
		"constant:0.0000001":         Constant{PerS: 1e-7},
		"sine:1234.5+-0/250ms":       Sine{MeanPerS: 1234.5, Period: 250 * time.Millisecond},
		"ramp:1000..0/999h0m0.0001s": Ramp{FromPerS: 1000, Over: 999*time.Hour + 100*time.Microsecond},
	} {
		got, err := Parse(spec, 200)
		if err != nil || got != want {
			t.Errorf("%s: %+v, %v; want %+v", spec, got, err, want)
		}
	}
}

func TestParseSaysWhatIsWrong(t *testing.T) {
	for spec, want := range map[string]string{
		"":                      `no pacer ""; the pacers are poisson, constant, ramp:FROM..TO/OVER, step:`,
		"poison":                `no pacer "poison"; the pacers are poisson,`,
		"ramp":                  `pacer "ramp": write ramp:FROM..TO/OVER, such as ramp:0..1000/30s`,
		"poisson:":              `pacer "poisson:": write poisson:RATE, such as poisson:500`,
		"poisson:fast":          `"fast" is neither a rate per second nor a multiple like 2x; write poisson:RATE`,
		"poisson:0":             `the rate must be above 0 per second`,
		"constant:-3":           `-3 per second is not a rate`,
		"constant:NaN":          `NaN per second is not a rate`,
		"ramp:100/30s":          `"100/30s" lacks a ".."`,
		"ramp:1..2":             `"2" lacks a "/"`,
		"ramp:1..2/":            `"" is not a time like 200ms or 1m30s`,
		"ramp:1..2/30":          `"30" is not a time like 200ms or 1m30s`,
		"ramp:1..2/-3s":         `it must take longer than -3s`,
		"step:1..2/5s":          `"2/5s" lacks a "@"`,
		"burst:1..2/3s/1s":      `3s of every 1s is not a burst`,
		"sine:5+-9/1s":          `goes below 0`,
		"sine:5/1s":             `"5/1s" lacks a "+-"`,
		"trace:/no/such/f":      `trace: open /no/such/f: no such file or directory`,
		"trace:.":               `trace .: line 1: read .: is a directory`,
		"poisson:" + long("9x"): `write poisson:RATE`,
	} {
		_, err := Parse(spec, 200)
		if err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "\n") {
			t.Errorf("%q: got %v, want one line with %q", spec, err, want)
		}
	}
	for _, spec := range []string{"poisson", "constant", "ramp:1x..2x/1s"} {
		if _, err := Parse(spec, 0); err == nil || !strings.Contains(err.Error(), "above 0 per second") {
			t.Errorf("%s of nothing: %v", spec, err)
		}
	}
}

func long(s string) string { return strings.Repeat(s, 300) }

// TestTextIsWhatParseReads for every pacer there is.
func TestTextIsWhatParseReads(t *testing.T) {
	file := filepath.Join(t.TempDir(), "arrivals,1.csv")
	if err := os.WriteFile(file, []byte("0.25\n0.5\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	trace, err := ReadTrace(file)
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range append([]loadgen.Pacer{trace}, plain()...) {
		if again, err := Parse(Text(p), 1); err != nil || !reflect.DeepEqual(again, p) {
			t.Errorf("%s is read as %+v, %v; it is %+v", Text(p), again, err, p)
		}
	}
	rate := rapid.Float64Range(1e-9, 1e6)
	lasts := rapid.Custom(func(t *rapid.T) time.Duration {
		return time.Duration(rapid.Int64Range(1, int64(1000*time.Hour)).Draw(t, "ns"))
	})
	rapid.Check(t, func(t *rapid.T) {
		a, b, d := rate.Draw(t, "a"), rate.Draw(t, "b"), lasts.Draw(t, "d")
		for _, p := range []loadgen.Pacer{
			Poisson{a},
			Constant{a},
			Ramp{a, b, d},
			Step{a, b, d},
			Burst{BasePerS: a, PeakPerS: b, For: d, Every: d + 1},
			Sine{max(a, b), min(a, b), d},
		} {
			if again, err := Parse(Text(p), 0); err != nil || again != p {
				t.Fatalf("%s is read as %+v, %v; it is %+v", Text(p), again, err, p)
			}
		}
	})
}

// plain are the pacers of the conformance table that come from no file.
func plain() (all []loadgen.Pacer) {
	for _, p := range pacers {
		if _, file := p.pacer.(Trace); !file {
			all = append(all, p.pacer)
		}
	}
	return all
}

// TestEveryKindIsTried: the conformance table has each pacer that can be
// written, and each example can be read.
func TestEveryKindIsTried(t *testing.T) {
	for _, k := range kinds {
		if k.name != "trace" {
			if _, err := Parse(k.example, 0); err != nil {
				t.Error(err)
			}
		}
		found := false
		for _, p := range pacers {
			found = found || strings.HasPrefix(Text(p.pacer), k.name+":")
		}
		if !found {
			t.Errorf("no %s in the conformance table", k.name)
		}
	}
}

func FuzzParse(f *testing.F) {
	for _, k := range kinds {
		f.Add(k.example)
	}
	f.Fuzz(func(t *testing.T, spec string) {
		if strings.HasPrefix(spec, "trace:") {
			t.Skip("it would open files")
		}
		p, err := Parse(spec, 10)
		if err != nil {
			if strings.ContainsAny(fmt.Sprint(err), "\n\r") {
				t.Errorf("more than one line: %q", err)
			}
			return
		}
		if again, err := Parse(Text(p), 0); err != nil || again != p {
			t.Errorf("%q is %s, which is read as %v, %v", spec, Text(p), again, err)
		}
	})
}
