package loadgen

import (
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"breakbank/bench/peers/comparison"
)

func TestByNames(t *testing.T) {
	some, err := ByNames([]string{h2load, breakbank})
	if err != nil || len(some) != 2 || some[0].Name != breakbank || some[1].Name != h2load {
		t.Errorf("%v, %v", some, err)
	}
	if all, err := ByNames(nil); err != nil || len(all) != len(Generators) {
		t.Errorf("%d, %v", len(all), err)
	}
	if _, err := ByNames([]string{"wrk"}); err == nil || !strings.Contains(err.Error(), `"wrk"`) || !strings.Contains(err.Error(), ghz) {
		t.Errorf("%v", err)
	}
}

func TestWhatIsMissingSaysHowToInstallIt(t *testing.T) {
	t.Setenv("PATH", t.TempDir())
	t.Setenv("GOPATH", t.TempDir())
	t.Setenv("GOBIN", "")
	t.Setenv("HOME", t.TempDir())
	here, _, missing := Installed(Generators)
	if len(here) != 2 || len(missing) != 2 {
		t.Fatalf("%d here, missing %v", len(here), missing)
	}
	for _, m := range missing {
		if !strings.Contains(m.String(), "install") || !strings.Contains(m.String(), m.Generator) {
			t.Errorf("%s", m)
		}
	}
}

// TestAProgramWhereGoInstallPutsIt is found without being on the path.
func TestAProgramWhereGoInstallPutsIt(t *testing.T) {
	for _, c := range []struct{ variable, below string }{{"GOBIN", ""}, {"GOPATH", "bin"}, {"HOME", "go/bin"}} {
		t.Run(c.variable, func(t *testing.T) {
			dir := t.TempDir()
			for _, v := range []string{"PATH", "GOBIN", "GOPATH", "HOME"} {
				t.Setenv(v, "")
			}
			t.Setenv(c.variable, dir)
			at := filepath.Join(dir, c.below)
			if err := os.MkdirAll(at, 0o700); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(filepath.Join(at, ghz), []byte("#!/bin/sh\necho ghz 1.2.3\n"), 0o700); err != nil {
				t.Fatal(err)
			}
			here, versions, _ := Installed(Generators)
			if len(here) != 3 || versions[ghz] != "1.2.3" {
				t.Errorf("%d here, versions %v", len(here), versions)
			}
		})
	}
}

// TestTheModuleItWasBuiltFrom tells the version of one that does not, as ghz does
// not when Go has built it.
func TestTheModuleItWasBuiltFrom(t *testing.T) {
	program := filepath.Join(t.TempDir(), ghz)
	text := "#!/bin/sh\nexit 0\npath\texample.com/ghz/cmd/ghz\nmod\texample.com/ghz\tv0.121.0\th1:CmXN=\ndep\texample.com/z\tv1.2.3\n"
	if err := os.WriteFile(program, []byte(text), 0o700); err != nil {
		t.Fatal(err)
	}
	if got := (Generator{Name: ghz}).version(program); got != "0.121.0" {
		t.Errorf("version is %q", got)
	}
}

func TestArguments(t *testing.T) {
	saturate := job{address: "127.0.0.1:1", connections: 16, streams: 64, lasts: 1500 * time.Millisecond, seed: 7, out: "/o", files: files{proto: "/p", body: "/b", json: "{}"}}
	paced := saturate
	paced.ratePerS, paced.even, paced.observe = 2000, true, true
	for _, c := range []struct {
		name string
		got  []string
		want string
	}{
		{"breakbank", offerArgs(paced), "peers offer --target 127.0.0.1:1 --connections 16 --duration 1.5s --seed 7 --out /o --rate 2000 --even"},
		{"breakbank, closed", offerArgs(saturate), "peers offer --target 127.0.0.1:1 --connections 16 --duration 1.5s --seed 7 --out /o --closed 64"},
		{"ghz", ghzArgs(paced), "--insecure --proto /p --call grpc.testing.TestService/UnaryCall --data {} --disable-template-functions --disable-template-data " +
			"--connections 16 --concurrency 64 --duration 1.5s --duration-stop wait --format json --output /o --rps 2000 127.0.0.1:1"},
	} {
		if got := strings.Join(c.got, " "); got != c.want {
			t.Errorf("%s:\n%s\n%s", c.name, got, c.want)
		}
	}
	got := strings.Join(h2loadArgs(paced), " ")
	for _, want := range []string{"--clients 16 --max-concurrent-streams 4", "--rps 125 --requests 3000", "--log-file /o", "http://127.0.0.1:1/grpc.testing.TestService/UnaryCall"} {
		if !strings.Contains(got, want) {
			t.Errorf("h2load does not get %q: %s", want, got)
		}
	}
	if got := strings.Join(h2loadArgs(saturate), " "); strings.Contains(got, "--rps") || !strings.Contains(got, "--duration 1500ms") || strings.Contains(got, "--log-file") {
		t.Errorf("%s", got)
	}
}

func TestTheOrderIsDrawn(t *testing.T) {
	orders := map[string]bool{}
	for seed := range uint64(400) {
		var names []string
		for _, g := range inOrder(Cases[0], Generators, rand.New(rand.NewPCG(seed, 0))) {
			names = append(names, g.Name)
		}
		orders[strings.Join(names, " ")] = true
	}
	if len(orders) != 24 {
		t.Errorf("%d orders of 4 generators: %v", len(orders), orders)
	}
	for _, g := range inOrder(Cases[5], Generators, rand.New(rand.NewPCG(1, 0))) {
		if g.Name == h2load || g.Name == closed {
			t.Errorf("%s is put to %s", Cases[5].Name, g.Name)
		}
	}
}

// toldOf reads a report from a file of testdata.
func toldOf(t *testing.T, read func(job) (*Told, error), file string) *Told {
	t.Helper()
	got, err := read(job{out: filepath.Join("testdata", file)})
	if err != nil {
		t.Fatal(err)
	}
	return got
}

func TestWhatGhzReports(t *testing.T) {
	got := toldOf(t, ghzTold, "ghz.json")
	// 200 calls, of which the first two failed and the last was the slowest.
	if got.Calls != 200 || got.Failed != 2 || got.MostFailed != "Unavailable" {
		t.Errorf("%+v", got)
	}
	if want := time.Date(2026, 1, 2, 3, 4, 5, 250_000_000, time.UTC).UnixNano(); got.StartedNs != want {
		t.Errorf("started %v, want %v", time.Unix(0, got.StartedNs).UTC(), time.Unix(0, want).UTC())
	}
	if l := got.LatencyMs; l["p50"] != 1.5 || l["p99"] != 900 || l["max"] != 950 {
		t.Errorf("%v", l)
	}
	if _, there := got.LatencyMs["p999"]; there {
		t.Error("it has a p99.9 of 198 calls")
	}
}

func TestWhatH2loadReports(t *testing.T) {
	got := toldOf(t, h2loadTold, "h2load.log")
	if got.Calls != 5 || got.Failed != 1 || got.MostFailed != "HTTP -1" || got.StartedNs != 1795357861183000*1000 {
		t.Errorf("%+v", got)
	}
	if l := got.LatencyMs; l["p50"] != 0.142 || l["max"] != 1000.5 {
		t.Errorf("%v", l)
	}
}

func TestReportsThatMakeNoSense(t *testing.T) {
	dir := t.TempDir()
	for _, c := range []struct {
		name, text string
		read       func(job) (*Told, error)
	}{
		{"ghz", "Summary: none", ghzTold},
		{"h2load", "1 2", h2loadTold},
		{"h2load's words", "a b c", h2loadTold},
		{"breakbank", "{", offerTold},
	} {
		file := filepath.Join(dir, "report")
		if err := os.WriteFile(file, []byte(c.text), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := c.read(job{out: file}); err == nil || strings.Contains(err.Error(), "\n") {
			t.Errorf("%s: %v", c.name, err)
		}
		if _, err := c.read(job{out: filepath.Join(dir, "nothing")}); err == nil {
			t.Errorf("%s: no file, no error", c.name)
		}
	}
}

func TestOptionsAreChecked(t *testing.T) {
	good := Options{Plan: comparison.Plan{Blocks: 1, Window: time.Second}, Generators: Generators, Cases: Cases}
	if err := good.Check(); err != nil {
		t.Error(err)
	}
	for name, change := range map[string]func(*Options){
		"no blocks":     func(o *Options) { o.Blocks = 0 },
		"many blocks":   func(o *Options) { o.Blocks = comparison.BlocksMax + 1 },
		"short window":  func(o *Options) { o.Window = WindowMin - 1 },
		"long window":   func(o *Options) { o.Window = comparison.WindowMax + 1 },
		"no generators": func(o *Options) { o.Generators = nil },
		"no cases":      func(o *Options) { o.Cases = nil },
	} {
		o := good
		change(&o)
		if o.Check() == nil {
			t.Errorf("%s: taken", name)
		}
	}
}

func TestOffersAreChecked(t *testing.T) {
	good := Offer{Target: "127.0.0.1:1", Connections: 1, RatePerS: 1, Duration: time.Second}
	if err := good.Check(); err != nil {
		t.Error(err)
	}
	for name, change := range map[string]func(*Offer){
		"no rate":        func(o *Offer) { o.RatePerS = 0 },
		"a rate below 0": func(o *Offer) { o.RatePerS = -1 },
		"both":           func(o *Offer) { o.Closed = 1 },
		"no time":        func(o *Offer) { o.Duration = 0 },
		"no connections": func(o *Offer) { o.Connections = 0 },
		"a cap below 0":  func(o *Offer) { o.MaxInFlight = -1 },
	} {
		o := good
		change(&o)
		if err := o.Check(); err == nil {
			t.Errorf("%s: taken", name)
		}
	}
}

// TestEvenSchedulesHaveTheirNumber: the shares of calls that fail are exact only
// then.
func TestEvenSchedulesHaveTheirNumber(t *testing.T) {
	for _, perS := range []float64{1, 3, 100, 2000, 10_000} {
		s, err := Offer{RatePerS: perS, Even: true, Duration: 2 * time.Second}.schedule()
		if err != nil || len(s.Arrivals) != int(2*perS) {
			t.Errorf("%v/s for 2 s: %d arrivals, %v", perS, len(s.Arrivals), err)
		}
	}
}

func TestTheExpectedTimeIsWithinItsLimits(t *testing.T) {
	full := Options{Plan: comparison.Plan{Blocks: DefaultBlocks, Window: DefaultWindow}, Generators: Generators, Cases: Cases}
	quick := Options{Plan: comparison.Plan{Blocks: QuickBlocks, Window: QuickWindow}, Generators: Generators, Cases: QuickCases()}
	if e := full.Expected(); e > 7*time.Minute {
		t.Errorf("a full run takes %v", e)
	}
	if e := quick.Expected(); e > 90*time.Second {
		t.Errorf("a quick run takes %v", e)
	}
}
