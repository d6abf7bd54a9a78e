package load_test

import (
	"context"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"google.golang.org/grpc"

	"breakbank/bench/load"
	"breakbank/loadgen/recording"
)

// spec is a short load on a server's unary method.
func spec(s *server) load.Spec {
	return load.Spec{
		Targets: []string{s.address}, Method: &load.MethodSpec{Name: unary},
		RatePerS: 400, Duration: 500 * time.Millisecond, Seed: 7, Cores: load.CoresShared,
	}
}

// watcher is an Observer that keeps what it was told.
type watcher struct {
	mu    sync.Mutex
	ticks []load.Tick
	said  []string
	// onTick, if not nil, is called too.
	onTick func(load.Tick)
}

func (w *watcher) Progress(text string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.said = append(w.said, text)
}

func (w *watcher) Tick(t load.Tick) {
	w.mu.Lock()
	w.ticks = append(w.ticks, t)
	w.mu.Unlock()
	if w.onTick != nil {
		w.onTick(t)
	}
}

func mustRun(t *testing.T, s load.Spec, o load.Options) *load.Result {
	t.Helper()
	r, err := load.Run(t.Context(), s, o)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func TestALoadIsOfferedAndEveryFailureCounted(t *testing.T) {
	t.Parallel()
	target := serve(t, &server{failEach: 10})
	s := spec(target)
	s.WarmUp = 200 * time.Millisecond
	s.Metadata = []string{"x-token: abc"}
	s.Method.Data = `{"payload": {"body": "aGVsbG8="}}`
	r := mustRun(t, s, load.Options{RunID: "run"})

	tot, calls := r.Totals, target.calls.Load()
	warm, main := r.Phases[0].Journeys[unary], r.Phases[1].Journeys[unary]
	switch {
	case tot.Scheduled < 150 || tot.Sent != tot.Scheduled || tot.OK+tot.Failed != tot.Sent:
		t.Errorf("scheduled %d, sent %d, ok %d, failed %d", tot.Scheduled, tot.Sent, tot.OK, tot.Failed)
	case warm.Scheduled < 50 || warm.Sent+main.Sent != calls || main.Scheduled != tot.Scheduled:
		t.Errorf("the server had %d calls; warm-up %+v, main %+v", calls, warm, main)
	case warm.Failed+tot.Failed != calls/10:
		t.Errorf("%d and %d failed of %d", warm.Failed, tot.Failed, calls)
	case tot.Errors["RESOURCE_EXHAUSTED"] != tot.Failed || len(r.Errors) != 1 || r.Errors[0].Count != tot.Failed || r.Errors[0].Cause != "no more cups":
		t.Errorf("errors %v, %v", tot.Errors, r.Errors)
	case r.Goodput.Good != tot.OK || r.Goodput.Share != float64(tot.OK)/float64(tot.Scheduled):
		t.Errorf("goodput %+v of %d ok", r.Goodput, tot.OK)
	case tot.LatencyMs.P99 == nil || tot.LatencyMs.P999 != nil || *tot.LatencyMs.P50 < *tot.ServiceMs.P50:
		t.Errorf("latencies %+v, %+v", tot.LatencyMs, tot.ServiceMs)
	case len(r.LeftOut) != 1 || !strings.Contains(r.LeftOut[0], "p99.9"):
		t.Errorf("left out: %v", r.LeftOut)
	case tot.GeneratorCPUS <= 0 || len(r.ScheduleSHA256) != 64 || r.Partial || r.Illustrative:
		t.Errorf("%+v", r)
	case *target.user.Load() != "hello" || *target.token.Load() != "abc":
		t.Errorf("the server saw %q, %q", *target.user.Load(), *target.token.Load())
	}
}

func TestTheSameSeedDrawsTheSameSchedule(t *testing.T) {
	t.Parallel()
	target := serve(t, &server{})
	s := spec(target)
	s.Duration = 50 * time.Millisecond
	resolved, err := load.Resolve(t.Context(), s)
	if err != nil {
		t.Fatal(err)
	}
	first := mustRun(t, resolved, load.Options{RunID: "a"})
	second := mustRun(t, resolved, load.Options{RunID: "b"})
	resolved.Seed++
	other := mustRun(t, resolved, load.Options{RunID: "a"})
	if first.ScheduleSHA256 != second.ScheduleSHA256 || first.ScheduleSHA256 == other.ScheduleSHA256 {
		t.Errorf("%s, %s, %s", first.ScheduleSHA256, second.ScheduleSHA256, other.ScheduleSHA256)
	}
}

func TestGoodputIsWithinTheObjective(t *testing.T) {
	t.Parallel()
	s := spec(serve(t, &server{}))
	s.Objective = time.Nanosecond
	s.Duration = 100 * time.Millisecond
	if r := mustRun(t, s, load.Options{}); r.Goodput.Good != 0 || r.Totals.OK == 0 || r.Goodput.ObjectiveMs != 1e-6 {
		t.Errorf("within a nanosecond: %+v", r.Goodput)
	}
	s.Objective = time.Minute
	if r := mustRun(t, s, load.Options{}); r.Goodput.Good != r.Totals.OK {
		t.Errorf("within a minute: %+v of %d", r.Goodput, r.Totals.OK)
	}
}

func TestAClosedLoopIsMarkedInEveryOutput(t *testing.T) {
	t.Parallel()
	target := serve(t, &server{})
	s := spec(target)
	s.RatePerS, s.Closed, s.Duration = 0, 4, 200*time.Millisecond
	r := mustRun(t, s, load.Options{})
	if r.Loop != load.LoopClosed || r.ClosedAtOnce != 4 || !r.Illustrative || r.Totals.Sent != target.calls.Load() || r.Totals.Sent < 4 {
		t.Errorf("%+v", r)
	}
	html, err := load.Render(r)
	if err != nil {
		t.Fatal(err)
	}
	for name, text := range map[string]string{"heading": load.Heading(s), "text": strings.ToLower(load.Text(r)), "html": string(html)} {
		if !strings.Contains(text, "closed loop") {
			t.Errorf("the %s does not say that the loop was closed", name)
		}
	}
}

func TestStreamsAndTheOtherTransport(t *testing.T) {
	t.Parallel()
	s := spec(serve(t, &server{}))
	s.Transport, s.Duration = "grpc-go", 200*time.Millisecond
	s.Method = &load.MethodSpec{
		Name: "grpc.testing.TestService/StreamingOutputCall", MessagesMin: 2,
		Data: `{"response_parameters": [{}, {}]}`,
	}
	if r := mustRun(t, s, load.Options{}); r.Totals.OK == 0 || r.Totals.Failed != 0 {
		t.Errorf("%+v, %v", r.Totals, r.Errors)
	}
	s.Method.MessagesMin = 3
	if r := mustRun(t, s, load.Options{}); r.Totals.OK != 0 || r.Totals.Failed == 0 {
		t.Errorf("two of three messages: %+v", r.Totals)
	}
}

func TestAFileOfJourneys(t *testing.T) {
	t.Parallel()
	target := serve(t, &server{})
	s := spec(target)
	s.Method = nil
	s.Journeys = &load.JourneysSpec{File: "look-and-pay.yaml", Text: []byte(`
journeys:
  - name: once
    steps:
      - method: grpc.testing.TestService/UnaryCall
  - name: twice
    weight: 3
    steps:
      - method: grpc.testing.TestService/UnaryCall
      - method: grpc.testing.TestService/UnaryCall
        think: 1ms
`)}
	r := mustRun(t, s, load.Options{})
	once, twice := r.Phases[0].Journeys["once"], r.Phases[0].Journeys["twice"]
	if once.OK == 0 || twice.OK < once.OK || once.OK+2*twice.OK != target.calls.Load() || r.Totals.Failed > 0 {
		t.Errorf("once %+v, twice %+v, %d calls", once, twice, target.calls.Load())
	}
}

// TestWhatWasMeasuredIsKept: a load that is stopped, and one whose server goes
// away, both have a result that says so.
func TestWhatWasMeasuredIsKept(t *testing.T) {
	t.Parallel()
	t.Run("stopped", func(t *testing.T) {
		s := spec(serve(t, &server{}))
		s.Duration = time.Minute
		ctx, stop := context.WithCancel(t.Context())
		defer stop()
		r, err := load.Run(ctx, s, load.Options{Observer: &watcher{onTick: func(load.Tick) { stop() }}})
		if err != nil {
			t.Fatal(err)
		}
		if !r.Partial || r.Valid || r.Totals.OK < 300 || r.DurationS < 0.9 || r.DurationS > 10 {
			t.Errorf("partial %v, valid %v, %d ok in %g s", r.Partial, r.Valid, r.Totals.OK, r.DurationS)
		}
		if perS := r.Totals.RatePerS; perS < 300 || perS > 500 {
			t.Errorf("%g a second", perS)
		}
	})
	t.Run("the server goes away", func(t *testing.T) {
		target := serve(t, &server{})
		s := spec(target)
		s.Duration = 1500 * time.Millisecond
		r := mustRun(t, s, load.Options{Observer: &watcher{onTick: func(load.Tick) { target.grpc.Stop() }}})
		if r.Partial || r.Valid || r.Totals.OK < 300 || r.Totals.Failed < 50 || r.Totals.OK+r.Totals.Failed != r.Totals.Scheduled {
			t.Errorf("partial %v, valid %v, %+v", r.Partial, r.Valid, r.Totals)
		}
		if len(r.Errors) == 0 || r.Errors[0].Code != "UNAVAILABLE" {
			t.Errorf("errors %+v", r.Errors)
		}
	})
	t.Run("stopped before it began", func(t *testing.T) {
		ctx, stop := context.WithCancel(t.Context())
		stop()
		if _, err := load.Run(ctx, spec(serve(t, &server{})), load.Options{}); err == nil || !strings.Contains(err.Error(), "nothing was measured") {
			t.Errorf("got %v", err)
		}
	})
}

func TestTLS(t *testing.T) {
	t.Parallel()
	creds, ca := certificate(t)
	target := serve(t, &server{}, grpc.Creds(creds))
	s := spec(target)
	s.Duration = 100 * time.Millisecond
	s.TLS = &load.TLSSpec{CACert: ca}
	if r := mustRun(t, s, load.Options{}); r.Totals.OK == 0 || r.Totals.Failed > 0 || !r.TLS {
		t.Errorf("%+v", r.Totals)
	}
	s.TLS = &load.TLSSpec{InsecureSkipVerify: true}
	if r := mustRun(t, s, load.Options{}); r.Totals.OK == 0 || r.Totals.Failed > 0 {
		t.Errorf("unverified: %+v", r.Totals)
	}
	for name, c := range map[string]struct {
		tls  *load.TLSSpec
		at   string
		says string
	}{
		"cleartext to TLS":     {nil, target.address, "--tls"},
		"TLS to cleartext":     {&load.TLSSpec{CACert: ca}, serve(t, &server{}).address, "--tls"},
		"an unknown authority": {&load.TLSSpec{}, target.address, "certificate"},
		"another name":         {&load.TLSSpec{CACert: ca, ServerName: "elsewhere"}, target.address, "elsewhere"},
	} {
		s.TLS, s.Targets = c.tls, []string{c.at}
		_, err := load.Run(t.Context(), s, load.Options{})
		if err == nil || errors.As(err, new(load.Misuse)) || !strings.Contains(err.Error(), c.says) || strings.Contains(err.Error(), "\n") {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestACapTooLowIsInvalid: what it keeps back counts as failed.
func TestACapTooLowIsInvalid(t *testing.T) {
	t.Parallel()
	target := serve(t, &server{holds: 50 * time.Millisecond})
	s := spec(target)
	s.MaxInFlight = 2
	r := mustRun(t, s, load.Options{})
	dropped := r.Totals.Scheduled - r.Totals.Sent
	if r.Valid || dropped < r.Totals.Scheduled/2 || r.Totals.Failed != dropped || r.Totals.Errors["dropped"] != dropped ||
		r.Totals.OK != target.calls.Load() || !strings.Contains(strings.Join(r.InvalidReasons, "; "), "the cap") {
		t.Errorf("%+v, %q", r.Totals, r.InvalidReasons)
	}
}

// TestWhatGotNoAnswer has failed, or is unknown where it may have happened; both
// stay in the latencies at what they had reached.
func TestWhatGotNoAnswer(t *testing.T) {
	t.Parallel()
	target := serve(t, &server{holds: time.Minute})
	s := spec(target)
	s.Duration, s.Deadline = 100*time.Millisecond, time.Second
	for _, write := range []bool{false, true} {
		s.Method.Write = write
		r := mustRun(t, s, load.Options{})
		lost := map[bool]int64{false: r.Totals.Failed, true: r.Totals.Unknown}[write]
		if lost != r.Totals.Sent || r.Totals.Errors["DEADLINE_EXCEEDED"] != lost || *r.Totals.LatencyMs.P50 < 990 || r.Goodput.Good != 0 {
			t.Errorf("a write: %v: %+v", write, r.Totals)
		}
	}
}

// TestTicks: what a live view is told adds up.
func TestTicks(t *testing.T) {
	t.Parallel()
	s := spec(serve(t, &server{failEach: 10}))
	s.WarmUp, s.Duration = time.Second, 2500*time.Millisecond
	w := &watcher{}
	mustRun(t, s, load.Options{Observer: w})
	seen := map[string]int{}
	for _, tick := range w.ticks {
		seen[tick.Phase]++
		if tick.Offered < 300 || tick.Sent < tick.Done || tick.Done <= tick.Good || tick.Good == 0 || tick.InFlight != max(0, tick.Offered-tick.Done) ||
			tick.Last.P50 == nil || tick.Overall.Max == nil || tick.SendDelay.P99 == nil || tick.Errors["RESOURCE_EXHAUSTED"] == 0 ||
			// After the last was due, a late tick has seen nothing for a while.
			tick.At <= tick.Of && (tick.RatePerS < 250 || tick.RatePerS > 600) {
			t.Errorf("%+v", tick)
		}
	}
	if seen[load.PhaseMain] == 0 || seen[load.PhaseWarmUp] > 1 || len(w.said) == 0 {
		t.Errorf("ticks %v, said %q", seen, w.said)
	}
}

func TestFiles(t *testing.T) {
	t.Parallel()
	r := mustRun(t, spec(serve(t, &server{})), load.Options{RunID: "run", Flags: []string{"load"}})
	dir := filepath.Join(t.TempDir(), "run")
	if err := load.Write(dir, r); err != nil {
		t.Fatal(err)
	}
	var manifest struct{ Files []struct{ Path string } }
	read(t, filepath.Join(dir, load.ManifestName), &manifest)
	if len(manifest.Files) != 6 {
		t.Errorf("the manifest names %v", manifest.Files)
	}
	var back load.Result
	read(t, filepath.Join(dir, load.ResultName), &back)
	if back.Schema != load.Schema || back.Kind != "load" || back.Totals.Sent != r.Totals.Sent || *back.Totals.LatencyMs.P50 != *r.Totals.LatencyMs.P50 {
		t.Errorf("%+v", back)
	}
	log, err := os.Open(filepath.Join(dir, recording.HLogName(recording.Response)))
	if err != nil {
		t.Fatal(err)
	}
	defer log.Close()
	histograms, err := recording.ReadHLog(log)
	if err != nil || len(histograms) == 0 {
		t.Errorf("%d histograms, %v", len(histograms), err)
	}
	series, err := os.ReadFile(filepath.Join(dir, recording.SeriesName))
	if err != nil || !strings.Contains(string(series), unary) {
		t.Errorf("series: %v\n%s", err, series)
	}
}

func read(t *testing.T, path string, into any) {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(data, into); err != nil {
		t.Fatal(err)
	}
}
