package discovery

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"reflect"
	"strings"
	"testing"
	"time"

	"breakbank/bench/stats"
)

// asRegistry makes the test binary the process with the registry.
const asRegistry = "BREAKBANK_TEST_AS_REGISTRY"

func TestMain(m *testing.M) {
	if os.Getenv(asRegistry) != "" {
		if err := ServeRegistry(context.Background(), os.Stdin, os.Stdout); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	os.Exit(m.Run())
}

func small() Options {
	return Options{
		Self: func() *exec.Cmd {
			cmd := exec.Command(os.Args[0])
			cmd.Env = append(os.Environ(), asRegistry+"=1")
			return cmd
		},
		Policies: []string{"snapshot", "quarantine", "heartbeat"}, Parser: "linkerd-2018",
		Routers: 3, Services: 20, Endpoints: 3, ChangesPerS: 100, Duration: time.Second, Blocks: 1, Seed: 1,
	}
}

// TestRun measures in miniature: everybody sees every change, each touches one
// entry, and the figures are there.
func TestRun(t *testing.T) {
	o := small()
	o.kinds = []kind{kinds[0], kinds[2]}
	r, err := Run(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	if r.Partial || len(r.Cells) != 2 || r.P99Ratio == nil {
		t.Fatalf("%+v", r)
	}
	for _, c := range r.Cells {
		if c.Changes != 100 || c.Unseen != 0 || c.LastUse.P99 == nil || *c.LastUse.P99 <= 0 || c.CPUUs.Value <= 0 {
			t.Errorf("%s: %+v", c.Kind, c)
		}
		// A change that is overtaken by the next of its service may be skipped.
		if c.EntriesPerChange > 1 || c.EntriesPerChange < 0.5 {
			t.Errorf("%s: a change touches %g entries", c.Kind, c.EntriesPerChange)
		}
	}
	if _, err := json.Marshal(r); err != nil {
		t.Error(err)
	}
	if text := Text(r); !strings.Contains(text, "informer") || !strings.Contains(text, "VALID") {
		t.Errorf("%s", text)
	}
}

// A run that is stopped ends soon, and says that it is not complete.
func TestAStoppedRunIsPartial(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	o := small()
	o.Duration = time.Minute
	o.Progress = func(line string) {
		if strings.HasPrefix(line, "block") {
			cancel()
		}
	}
	r, err := Run(ctx, o)
	if err != nil || !r.Partial || r.Valid || len(r.InvalidReasons) == 0 {
		t.Errorf("%+v, %v", r, err)
	}
}

func TestAChildThatEndsIsAnError(t *testing.T) {
	o := small()
	o.Self = func() *exec.Cmd { return exec.Command("sh", "-c", "echo no room >&2; exit 3") }
	if r, err := Run(t.Context(), o); err == nil || !strings.Contains(err.Error(), "no room") {
		t.Errorf("%+v, %v", r, err)
	}
}

func TestOptionsAreChecked(t *testing.T) {
	for want, spoil := range map[string]func(*Options){
		"--routers":       func(o *Options) { o.Routers = 0 },
		"--services":      func(o *Options) { o.Services = servicesMax + 1 },
		"--endpoints":     func(o *Options) { o.Endpoints = -1 },
		"--changes-per-s": func(o *Options) { o.ChangesPerS = 0 },
		"no change at all": func(o *Options) {
			o.ChangesPerS, o.Duration = 0.5, time.Second
		},
		"--duration": func(o *Options) { o.Duration = 0 },
		"--blocks":   func(o *Options) { o.Blocks = 0 },
	} {
		o := small()
		spoil(&o)
		if err := o.Check(); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", want, err)
		}
	}
	if err := small().Check(); err != nil {
		t.Error(err)
	}
}

// The last of all followers counts; one that skipped a change counts from the
// next one of that service; one that never saw either is found out.
func TestLastUse(t *testing.T) {
	commits := []commit{
		{Service: "a", Revision: 10, Written: 0, Committed: 1 * nsPerMs},
		{Service: "b", Revision: 11, Written: 1 * nsPerMs, Committed: 2 * nsPerMs},
		{Service: "a", Revision: 12, Written: 2 * nsPerMs, Committed: 9 * nsPerMs},
		{Service: "c", Revision: 13, Written: 2 * nsPerMs, Committed: 3 * nsPerMs},
	}
	seen := [][]sighting{
		{{"a", 10, 2 * nsPerMs}, {"b", 11, 4 * nsPerMs}, {"a", 12, 8 * nsPerMs}, {"c", 13, 5 * nsPerMs}},
		{{"b", 11, 3 * nsPerMs}, {"a", 12, 7 * nsPerMs}},
	}
	got := lastUse(commits, seen)
	want := fleetUse{fromCommitMs: []float64{6, 2, 0}, fromWriteMs: []float64{7, 3, 6}, unseen: 1, early: 1}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("%+v, want %+v", got, want)
	}
	if got := drained(commits, seen); got != 0 {
		t.Errorf("drained after %v ms", got)
	}
}

func TestVerdicts(t *testing.T) {
	for _, c := range []struct {
		low, high float64
		want      string
	}{{1, 2, "met"}, {4, 5, "met"}, {4.5, 6, "undecided"}, {5.1, 6, "missed"}} {
		b := bar("", stats.Estimate{Low: c.low, High: c.high}, "", 5)
		if b.Verdict != c.want {
			t.Errorf("%v to %v: %s", c.low, c.high, b.Verdict)
		}
	}
	r := &Result{StealShare: 0.2, OthersShare: 0.3, Cells: []Cell{{Kind: guarded, Changes: 50, Unseen: 1, Early: 9}}, Floods: []Flood{{Kind: guarded, RatePerS: 10, Unseen: 1}}}
	if got := invalid(r, context.Canceled); len(got) != 8 {
		t.Errorf("%d reasons: %q", len(got), got)
	}
}
