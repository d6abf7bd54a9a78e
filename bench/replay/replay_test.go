package replay

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"breakbank/bench/arm"
	"breakbank/bench/manifest"
	"breakbank/bench/result"
	"breakbank/bench/scenario"
	"breakbank/loadgen"
	"breakbank/loadgen/customers"
	"breakbank/loadgen/recording"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func options(t *testing.T, file, armName string) Options {
	t.Helper()
	s, err := scenario.Load(file, scenario.DefaultTargets)
	if err != nil {
		t.Fatal(err)
	}
	a, err := arm.Load(armName)
	if err != nil {
		t.Fatal(err)
	}
	return Options{
		Scenario: s, Arm: a, Pace: s.Pace, RatePerS: s.RatePerS, Seed: 1,
		RunID: "test", Dir: filepath.Join(t.TempDir(), "run"), Topology: "single",
	}
}

func prepare(t *testing.T, opts Options) *Run {
	t.Helper()
	run, err := Prepare(opts)
	if err != nil {
		t.Fatal(err)
	}
	return run
}

// watcher remembers what it was told.
type watcher struct {
	mu      sync.Mutex
	events  []result.Event
	seconds []result.Second
	onEvent func(result.Event)
}

func (w *watcher) Event(e result.Event) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.events = append(w.events, e)
	if w.onEvent != nil {
		w.onEvent(e)
	}
}

func (w *watcher) Second(s result.Second) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.seconds = append(w.seconds, s)
}

// TestPlay plays a whole script on a platform in memory and follows it from the
// steps to the files.
func TestPlay(t *testing.T) {
	t.Parallel()
	platform, seen := startFake(t), &watcher{}
	opts := options(t, "testdata/quick.yaml", "linkerd-2017")
	opts.Observer, opts.Offer = seen, platform.offer
	var audited int
	opts.Audit = func(_ context.Context, dir string, records []loadgen.Record, drained bool) (result.Audit, error) {
		select {
		case <-platform.Done():
		default:
			t.Error("audited while the platform ran")
		}
		if dir != "stores" || !drained {
			t.Errorf("audit of %q, drained %v", dir, drained)
		}
		audited = len(records)
		return result.Audit{Ran: true, Passed: true, Figures: result.AuditFigures{OverspendMinor: 7}}, nil
	}
	opts.Report = func(dir string, r *result.Result) error {
		return os.WriteFile(filepath.Join(dir, "report.html"), []byte(r.Arm), 0o644)
	}
	run := prepare(t, opts)
	res, err := run.Play(t.Context(), platform)
	if err != nil {
		t.Fatal(err)
	}

	wantCalls := []string{
		"grow 5", "scale pots 0",
		"inject link-blackhole apiserver-a/etcd/endpoints", "inject link-blackhole apiserver-b/etcd/endpoints",
		"inject link-blackhole apiserver-c/etcd/endpoints",
		"fallback FALLBACK_MODE_ROUTED", "restart c1", "delete pots",
	}
	if !slices.Equal(platform.calls, wantCalls) {
		t.Errorf("the platform was asked\n%s\nwant\n%s", strings.Join(platform.calls, "\n"), strings.Join(wantCalls, "\n"))
	}
	checkPhases(t, res)
	checkFigures(t, res, audited)
	checkTimeline(t, res, seen)
	checkFiles(t, opts.Dir, res)
}

func checkPhases(t *testing.T, res *result.Result) {
	t.Helper()
	var names []string
	at := 0.0
	for _, phase := range res.Phases {
		names = append(names, phase.Name)
		if phase.FromS != at || phase.ToS <= phase.FromS {
			t.Errorf("phase %s lasts from %v to %v, the one before ended at %v", phase.Name, phase.FromS, phase.ToS, at)
		}
		at = phase.ToS
	}
	if got, want := strings.Join(names, " "), "setup baseline broken recovering recovered"; got != want {
		t.Errorf("phases %s, want %s", got, want)
	}
	tap := customers.Journeys[customers.CardTap].Name
	baseline, broken, recovered := res.Phases[1], res.Phases[2], res.Phases[4]
	if c := baseline.Journeys[tap]; c.Failed > 0 || c.OK == 0 {
		t.Errorf("baseline: %+v", c.Counts)
	}
	if c := broken.Journeys[tap]; c.Failed == 0 {
		t.Errorf("broken: %+v", c.Counts)
	}
	if c := recovered.Journeys[tap]; c.Failed > 0 || c.OK == 0 {
		t.Errorf("recovered: %+v", c.Counts)
	}
	// A machine that is busy makes it longer; without the pace it would be 60 s.
	if got := baseline.Seconds(); got < 0.9 || got > 10 {
		t.Errorf("baseline lasted %.2f s, 1 s was planned", got)
	}
	if baseline.ClockFrom != "13:55:00" || res.Phases[0].ClockFrom != "two weeks before" {
		t.Errorf("phases open at %q and %q", res.Phases[0].ClockFrom, baseline.ClockFrom)
	}
}

func checkFigures(t *testing.T, res *result.Result, audited int) {
	t.Helper()
	if res.Partial || res.Impact.OverspendMinor != 7 || int64(audited) != res.Load.Done {
		t.Errorf("partial %v, overspend %d, %d records audited of %d", res.Partial, res.Impact.OverspendMinor, audited, res.Load.Done)
	}
	if len(res.Faults) != 3 || res.Faults[0].Proof != 42 || res.Faults[0].InjectedS < res.Phases[2].FromS {
		t.Errorf("faults %+v", res.Faults)
	}
	if b := res.Impact.Backlog; !b.Drained || b.Detail != "" {
		t.Errorf("backlog %+v", b)
	}
	if res.Routes.Live != res.Load.Done {
		t.Errorf("routes %+v of %d", res.Routes, res.Load.Done)
	}
	if !res.Illustrative || len(res.IllustrativeReasons) == 0 {
		t.Error("a run in topology single is not marked illustrative")
	}
	for _, reason := range res.InvalidReasons {
		// The load is the test's own and so short that timing tests mean nothing.
		if !strings.Contains(reason, "baseline") && !strings.Contains(reason, "garbage") &&
			!strings.Contains(reason, "something else") && !strings.Contains(reason, "waited for a processor") &&
			!strings.Contains(reason, "it could get") {
			t.Errorf("INVALID: %s", reason)
		}
	}
}

func checkTimeline(t *testing.T, res *result.Result, seen *watcher) {
	t.Helper()
	var steps []string
	for _, e := range res.Timeline {
		if e.Kind == result.EventStepDone {
			steps = append(steps, e.ID)
		}
		if e.ID == "find" && e.Kind == result.EventStepDone && !strings.Contains(e.Text, "router-c1: level=ERROR") {
			t.Errorf("the log line was not found: %q", e.Text)
		}
		if e.ID == "restart" && e.Kind == result.EventStep && e.Clock < "13:56:12" {
			t.Errorf("the restart was at %s, due at 13:56:12", e.Clock)
		}
	}
	if got, want := strings.Join(steps, " "), "grow empty load dark standin restart find delete end"; got != want {
		t.Errorf("steps done: %s, want %s", got, want)
	}
	if len(seen.seconds) == 0 || len(seen.events) == 0 {
		t.Errorf("the observer was told of %d seconds and %d events", len(seen.seconds), len(seen.events))
	}
	if last := res.Series[len(res.Series)-1]; last.Phase != "recovered" {
		t.Errorf("the last second is in phase %s", last.Phase)
	}
	down := slices.ContainsFunc(seen.seconds, func(s result.Second) bool {
		return len(s.Routers) == 2 && s.Routers[0].Node == "a1" && s.Routers[1].State != ""
	})
	if !down {
		t.Error("no second tells the routers' states")
	}
}

// checkFiles reads everything back and compares the manifest's hashes.
func checkFiles(t *testing.T, dir string, res *result.Result) {
	t.Helper()
	read, err := Read(dir)
	if err != nil {
		t.Fatal(err)
	}
	if read.ScheduleSHA256 != res.ScheduleSHA256 || len(read.Series) != len(res.Series) {
		t.Error("result.json is not the result")
	}
	f, err := os.Open(filepath.Join(dir, recording.JournalName))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	var records int64
	for _, err := range recording.ReadJournal(f, loadgen.Names(customers.Journeys[:])) {
		if err != nil {
			t.Fatal(err)
		}
		records++
	}
	if records != res.Load.Done {
		t.Errorf("the journal holds %d records of %d", records, res.Load.Done)
	}
	data, err := os.ReadFile(filepath.Join(dir, manifest.Name))
	if err != nil {
		t.Fatal(err)
	}
	var m manifest.Manifest
	if err := json.Unmarshal(data, &m); err != nil {
		t.Fatal(err)
	}
	var paths []string
	for _, file := range m.Files {
		content, err := os.ReadFile(filepath.Join(dir, file.Path))
		if err != nil {
			t.Fatal(err)
		}
		if sum := sha256.Sum256(content); hex.EncodeToString(sum[:]) != file.SHA256 || int64(len(content)) != file.Bytes {
			t.Errorf("%s is not what the manifest says", file.Path)
		}
		paths = append(paths, file.Path)
	}
	want := "journal.jsonl.zst report.html response.hlog result.json send_delay.hlog series.csv service.hlog timeline.jsonl"
	if got := strings.Join(paths, " "); got != want {
		t.Errorf("files %s, want %s", got, want)
	}
}

// TestASlowStepLeavesItsPhaseTheTimeItNeeds: the step that opens a phase takes
// longer than the script gives the whole phase.
func TestASlowStepLeavesItsPhaseTheTimeItNeeds(t *testing.T) {
	t.Parallel()
	platform := startFake(t)
	platform.faultTakes = 300 * time.Millisecond // three times
	opts := options(t, "testdata/quick.yaml", "linkerd-2017")
	opts.Offer = platform.offer
	res, err := prepare(t, opts).Play(t.Context(), platform)
	if err != nil {
		t.Fatal(err)
	}
	at := func(kind, id string) result.Event {
		i := slices.IndexFunc(res.Timeline, func(e result.Event) bool { return e.Kind == kind && e.ID == id })
		if i < 0 {
			t.Fatalf("no %s %s in the timeline", kind, id)
		}
		return res.Timeline[i]
	}
	begun, ended := at(result.EventStepDone, "dark"), at(result.EventPhase, "recovering")
	if got := ended.TS - begun.TS; got < 0.5 {
		t.Errorf("the phase lasted %.2f s more once it had begun, it needs 0.5 s", got)
	}
	// The clock stands still for what is missing, once the other steps were taken.
	if stood := ended.TS - begun.TS - 60*(*ended.PacedMin-*begun.PacedMin)/opts.Pace; stood < 0.1 {
		t.Errorf("the clock stood still for %.2f s", stood)
	}
}

// TestWithoutLeavesThePhases: steps left out are not taken, but their phases
// open all the same.
func TestWithoutLeavesThePhases(t *testing.T) {
	t.Parallel()
	platform := startFake(t)
	opts := options(t, "testdata/quick.yaml", "linkerd-2017")
	opts.Without, opts.Offer = []string{"dark", "restart", "grow"}, platform.offer
	res, err := prepare(t, opts).Play(t.Context(), platform)
	if err != nil {
		t.Fatal(err)
	}
	if got, want := strings.Join(platform.calls, ", "), "scale pots 0, fallback FALLBACK_MODE_ROUTED, delete pots"; got != want {
		t.Errorf("asked for %s, want %s", got, want)
	}
	if len(res.Phases) != 5 || len(res.Faults) != 0 {
		t.Errorf("%d phases, %d faults", len(res.Phases), len(res.Faults))
	}
	if slices.Contains(res.InvalidReasons, "the script injects faults, and none was recorded") {
		t.Error("a fault that was left out is missed")
	}
	if !slices.Contains(res.InvalidReasons, "no audit was made") {
		t.Errorf("no audit, and the reasons are %v", res.InvalidReasons)
	}
}

// TestFromStart: an arm whose stand-in needs no switching has it before the
// first journey.
func TestFromStart(t *testing.T) {
	t.Parallel()
	platform := startFake(t)
	platform.failScale = true
	opts := options(t, "testdata/quick.yaml", "guarded")
	opts.Offer = platform.offer
	res, err := prepare(t, opts).Play(t.Context(), platform)
	if err != nil {
		t.Fatal(err)
	}
	if platform.calls[0] != "fallback FALLBACK_MODE_INDEPENDENT" || slices.Contains(platform.calls[1:], platform.calls[0]) {
		t.Errorf("asked for %v", platform.calls)
	}
	failed := slices.ContainsFunc(res.InvalidReasons, func(r string) bool {
		return strings.HasPrefix(r, "step failed: empty (scale pots to 0): ") && strings.Contains(r, "no such service")
	})
	if !failed || len(res.Phases) != 5 {
		t.Errorf("a failed step is not named, or ended the script: %v, %d phases", res.InvalidReasons, len(res.Phases))
	}
}
