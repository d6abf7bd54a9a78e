package main

import (
	"context"
	"encoding/json"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"

	"google.golang.org/grpc"
	"google.golang.org/grpc/health"
	healthpb "google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/reflection"

	"breakbank/bench/load"
	"breakbank/platform/ports"
)

// serveHealth is a grpc-go server with reflection and the health service.
func serveHealth(t *testing.T) (address string, calls *atomic.Int64) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	calls = &atomic.Int64{}
	// Reflection is a stream, and not counted.
	s := grpc.NewServer(grpc.UnaryInterceptor(func(ctx context.Context, r any, _ *grpc.UnaryServerInfo, handle grpc.UnaryHandler) (any, error) {
		calls.Add(1)
		return handle(ctx, r)
	}))
	healthpb.RegisterHealthServer(s, health.NewServer())
	reflection.Register(s)
	done := make(chan struct{})
	go func() {
		defer close(done)
		_ = s.Serve(l)
	}()
	t.Cleanup(func() { s.Stop(); <-done })
	return l.Addr().String(), calls
}

const healthCheck = "grpc.health.v1.Health/Check"

// TestLoadPrintsOneEnvelope: --json prints the result and nothing else, and the
// files say the same.
func TestLoadPrintsOneEnvelope(t *testing.T) {
	t.Parallel()
	target, calls := serveHealth(t)
	out := t.TempDir()
	page, series := filepath.Join(out, "page.html"), filepath.Join(out, "series.csv")
	code, stdout, stderr := command(t, "load", "--target", target, "--method", healthCheck, "-r", "300/s", "-t", "600ms",
		"--warm-up", "200ms", "-H", "authorization=secret", "--json", "--out", out, "--html", page, "--csv-out", series)
	var r load.Result
	if err := json.Unmarshal([]byte(stdout), &r); err != nil {
		t.Fatalf("exit code %d: %v\n%s\n%s", code, err, stdout, stderr)
	}
	warm, counted := r.Phases[0].Journeys[healthCheck].Sent, r.Totals.Sent
	if r.Kind != "load" || r.Schema != 1 || r.Totals.OK != counted || warm+counted != calls.Load() || r.Environment.StartedUTC == "" {
		t.Errorf("%d calls: %s", calls.Load(), stdout)
	}
	if want := map[bool]int{true: exitOK, false: exitInvalid}[r.Valid]; code != want {
		t.Errorf("exit code %d of a result that is valid: %v\n%s", code, r.Valid, stderr)
	}
	if strings.Contains(stdout, "secret") || !slices.Contains(r.Environment.Flags, "authorization=…") {
		t.Errorf("flags %q", r.Environment.Flags)
	}
	for _, file := range []string{page, series, filepath.Join(out, r.RunID, load.ResultName), filepath.Join(out, r.RunID, load.ManifestName)} {
		if data, err := os.ReadFile(file); err != nil || len(data) == 0 || strings.Contains(string(data), "secret") {
			t.Errorf("%s: %v", file, err)
		}
	}
}

// TestLoadThresholdsDecideTheExitCode: 4 if one is missed, unless the result must
// not be believed anyway; every one is said with its value.
func TestLoadThresholdsDecideTheExitCode(t *testing.T) {
	t.Parallel()
	target, _ := serveHealth(t)
	code, stdout, stderr := command(t, "load", "--target", target, "--method", healthCheck, "-r", "300", "-t", "500ms",
		"--fail-if", "p50>1h", "--fail-if", "p50>=0ms")
	if !strings.Contains(stdout, "kept    p50>1h: ") || !strings.Contains(stdout, "MISSED  p50>=0ms: ") {
		t.Errorf("%s", stdout)
	}
	want := exitMissed
	if strings.Contains(stdout, "INVALID") {
		want = exitInvalid
	}
	if code != want {
		t.Errorf("exit code %d, want %d: %s", code, want, stderr)
	}
	missed := &load.Result{Valid: true, Thresholds: []load.ThresholdResult{{Threshold: "p99>1ms", Missed: true, Why: "too few"}}}
	if err := judgeLoad(missed); exitCode(err) != exitMissed || !strings.Contains(err.Error(), "p99>1ms") {
		t.Errorf("missed: %v", err)
	}
	invalid := &load.Result{InvalidReasons: []string{"the dog ate it"}, Thresholds: missed.Thresholds}
	if err := judgeLoad(invalid); exitCode(err) != exitInvalid || !strings.Contains(err.Error(), "dog") {
		t.Errorf("invalid: %v", err)
	}
	partial := &load.Result{Partial: true, InvalidReasons: invalid.InvalidReasons}
	if err := judgeLoad(partial); exitCode(err) != exitFailed {
		t.Errorf("partial: %v", err)
	}
	if err := judgeLoad(&load.Result{Valid: true}); err != nil {
		t.Errorf("nothing wrong: %v", err)
	}
}

// TestLoadStopsCleanly: Ctrl-C prints and writes what was measured, marked
// partial, and leaves no worker behind.
func TestLoadStopsCleanly(t *testing.T) {
	t.Parallel()
	for name, extra := range map[string][]string{"alone": nil, "with workers": {"--workers", "2"}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			target, _ := serveHealth(t)
			out := t.TempDir()
			cmd, tmp, stdout, _ := start(t, append([]string{
				"load", "--target", target, "--method", healthCheck,
				"-r", "300", "-t", "1m", "--json", "--out", out,
			}, extra...)...)
			seen := watch("load ") // the first second
			cmd.Stderr = seen
			if err := cmd.Start(); err != nil {
				t.Fatal(err)
			}
			seen.await(t)
			if err := cmd.Process.Signal(syscall.SIGINT); err != nil {
				t.Fatal(err)
			}
			_ = cmd.Wait() // It ends with an error; which one is looked at below.
			var r load.Result
			if err := json.Unmarshal(stdout.Bytes(), &r); err != nil {
				t.Fatalf("%v\n%s\n%s", err, stdout, &seen.text)
			}
			nothingLeft(t, tmp)
			if code := cmd.ProcessState.ExitCode(); code != exitFailed || !r.Partial || r.Totals.OK < 100 {
				t.Errorf("exit code %d, partial %v, %d ok", code, r.Partial, r.Totals.OK)
			}
			if _, err := os.Stat(filepath.Join(out, r.RunID, load.ReportName)); err != nil {
				t.Error(err)
			}
		})
	}
}

func TestLoadSelfTest(t *testing.T) {
	t.Parallel()
	target, _ := serveHealth(t)
	out := t.TempDir()
	page := filepath.Join(out, "page.html")
	code, stdout, stderr := command(t, "load", "--target", target, "--method", healthCheck, "-r", "200", "-t", "500ms", "--self-test",
		"--out", out, "--html", page)
	if code != exitOK && code != exitInvalid || !strings.Contains(stdout, "send delay  p50") || !strings.Contains(stdout, "This machine can") {
		t.Errorf("exit code %d: %s\n%s", code, stdout, stderr)
	}
	if results, err := filepath.Glob(filepath.Join(out, "*", load.ResultName)); err != nil || len(results) != 1 {
		t.Errorf("results %v, %v", results, err)
	}
	if text, err := os.ReadFile(page); err != nil || !strings.Contains(string(text), "2 times as fast") {
		t.Errorf("the report: %v", err)
	}
}

// TestLoadRefusesBadInput: one line, and nothing on standard output.
func TestLoadRefusesBadInput(t *testing.T) {
	t.Parallel()
	target, calls := serveHealth(t)
	dir := t.TempDir()
	trace, journeys := filepath.Join(dir, "trace.csv"), filepath.Join(dir, "journeys.yaml")
	for path, text := range map[string]string{trace: "0.1\n", journeys: "journeys: [{name: look, steps: [{method: " + healthCheck + "}]}]\n"} {
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	at := slices.Clip([]string{"--target", target, "--method", healthCheck})
	script := slices.Clip([]string{"--target", target, "--journeys", journeys, "-r", "10"})
	for name, c := range map[string]struct {
		args []string
		code int
		says string
	}{
		"nothing":              {nil, exitUsage, "--rate"},
		"no method":            {[]string{"--target", target, "-r", "10"}, exitUsage, "--method"},
		"no target":            {[]string{"--method", healthCheck, "-r", "10"}, exitUsage, "--target"},
		"no rate":              {at, exitUsage, "--rate"},
		"rate 0":               {append(at, "-r", "0"), exitUsage, "more than 0"},
		"no number":            {append(at, "-r", "fast"), exitUsage, "fast"},
		"absurd":               {append(at, "-r", "1e15"), exitUsage, "20,000,000"},
		"both loops":           {append(at, "-r", "10", "--closed", "2"), exitUsage, "closed loop"},
		"bad threshold":        {append(at, "-r", "10", "--fail-if", "p99>fast"), exitUsage, "50ms"},
		"bad header":           {append(at, "-r", "10", "-H", "x"), exitUsage, "name=value"},
		"bad pacer":            {append(at, "-r", "10", "--pacer", "gallop"), exitUsage, "poisson"},
		"no such method":       {[]string{"--target", target, "--method", "grpc.health.v1.Health/Chek", "-r", "10"}, exitUsage, "Check"},
		"JSON does not fit":    {append(at, "-r", "10", "-d", `{"servise": "x"}`), exitUsage, "service"},
		"no such data file":    {append(at, "-r", "10", "-d", "@/nowhere.json"), exitUsage, "/nowhere.json"},
		"no such script":       {[]string{"--target", target, "--journeys", "/nowhere.yaml", "-r", "10"}, exitUsage, "/nowhere.yaml"},
		"nobody there":         {[]string{"--target", freeAddress(t), "--method", healthCheck, "-r", "10"}, exitFailed, "refused"},
		"no such host":         {[]string{"--target", "nosuchhost.invalid:1", "--method", healthCheck, "-r", "10"}, exitFailed, "nosuchhost.invalid"},
		"TLS to cleartext":     {append(at, "-r", "10", "--tls"), exitFailed, "--tls"},
		"no bank":              {[]string{"--control", freeAddress(t), "-r", "10"}, exitFailed, "breakbank up"},
		"bank flags":           {append(at, "-r", "10", "--mix", "card_tap=1"), exitUsage, "--mix"},
		"bank without method":  {[]string{"-r", "10", "--write"}, exitUsage, "--write is for a --method"},
		"bank with protos":     {[]string{"-r", "10", "--proto", "x.proto"}, exitUsage, "--proto"},
		"journeys, codes":      {append(script, "--ok-code", "NOT_FOUND"), exitUsage, "--ok-code is for a --method"},
		"journeys, requests":   {append(script, "--requests", "3"), exitUsage, "--requests is for a --method"},
		"journeys, replies":    {append(script, "--replies", "3"), exitUsage, "--replies is for a --method"},
		"journeys, write":      {append(script, "--write"), exitUsage, "--write is for a --method"},
		"journeys, rows":       {append(script, "--random-row"), exitUsage, "--random-row is for a --method"},
		"journeys, data":       {append(script, "-d", "{}"), exitUsage, "--data is for a --method"},
		"rows of no table":     {append(at, "-r", "10", "--random-row"), exitUsage, "--csv"},
		"replies":              {append(at, "-r", "10", "--replies=-1"), exitUsage, "1 or more"},
		"two rates":            {append(at, "-r", "10", "--pacer", "ramp:10..500/2s"), exitUsage, "rates of its own"},
		"a rate and a trace":   {append(at, "-r", "10", "--pacer", "trace:"+trace), exitUsage, "rates of its own"},
		"bad mix":              {[]string{"-r", "10", "--mix", "card_tap"}, exitUsage, "card_tap=3"},
		"listen for nobody":    {append(at, "-r", "10", "--listen", "127.0.0.1:0"), exitUsage, "--remote"},
		"remote without token": {append(at, "-r", "10", "--remote", "1", "--listen", "127.0.0.1:0"), exitUsage, envLoadToken},
		"too many workers":     {append(at, "-r", "10", "--workers", "1000"), exitUsage, "256"},
		"unwritable":           {append(at, "-r", "10", "--html", "/nowhere/page.html"), exitUsage, "/nowhere"},
		"a directory as page":  {append(at, "-r", "10", "--html", dir), exitUsage, "is a directory"},
		"a directory as CSV":   {append(at, "-r", "10", "--csv-out", dir), exitUsage, "is a directory"},
		"a file as directory":  {append(at, "-r", "10", "--out", trace), exitUsage, trace},
		"below a file":         {append(at, "-r", "10", "--html", filepath.Join(trace, "page.html")), exitUsage, "page.html"},
		"two files in one":     {append(at, "-r", "10", "--html", filepath.Join(dir, "x"), "--csv-out", filepath.Join(dir, "x")), exitUsage, "both"},
		"self-test, workers":   {append(at, "-r", "10", "--self-test", "--workers", "2"), exitUsage, "--workers"},
		"self-test, threshold": {append(at, "-r", "10", "--self-test", "--fail-if", "p99>1ms"), exitUsage, "--fail-if"},
		"self-test, objective": {append(at, "-r", "10", "--self-test", "--objective", "1ms"), exitUsage, "--objective"},
		"self-test, closed":    {append(at, "--closed", "10", "--self-test"), exitUsage, "--closed"},
		"ghz: clear text":      {append(at, "-r", "10", "--insecure"), exitUsage, "clear text is the default"},
		"ghz: rate":            {append(at, "--rps", "10"), exitUsage, "--rate"},
		"ghz: requests":        {append(at, "-r", "10", "-n", "200"), exitUsage, "--duration with --rate"},
		"ghz: all requests":    {append(at, "-r", "10", "--total=200"), exitUsage, "--duration with --rate"},
		"ghz: method":          {[]string{"--call", healthCheck}, exitUsage, "--method"},
		"k6: users":            {append(at, "--vus", "10"), exitUsage, "--rate"},
		"worker told to send":  {[]string{"worker", "--rate", "10"}, exitUsage, "coordinator"},
		"worker of nobody":     {[]string{"worker"}, exitUsage, "--join"},
	} {
		t.Run(name, func(t *testing.T) {
			code, stdout, stderr := command(t, append([]string{"load"}, c.args...)...)
			last := stderr[strings.LastIndex(strings.TrimSpace(stderr), "\n")+1:]
			if code != c.code || !strings.HasPrefix(last, "breakbank: ") || !strings.Contains(last, c.says) {
				t.Errorf("exit code %d, want %d: %s", code, c.code, stderr)
			}
			if c.code == exitUsage && strings.Count(stderr, "\n") != 1 || strings.Count(stdout, "\n") > 1 {
				t.Errorf("more than a line: %q, %q", stderr, stdout)
			}
		})
	}
	if n := calls.Load(); n != 0 {
		t.Errorf("%d calls were made", n)
	}
	if left, err := os.ReadDir(dir); err != nil || len(left) != 2 {
		t.Errorf("files were left behind: %v, %v", left, err)
	}
}

// TestLoadWorkerJoins: a worker from elsewhere, with the token of its environment.
func TestLoadWorkerJoins(t *testing.T) {
	t.Parallel()
	target, calls := serveHealth(t)
	listen, token := freeAddress(t), "a-token-that-nobody-knows"
	coordinator, _, stdout, _ := start(t, "load", "--target", target, "--method", healthCheck, "-r", "300", "-t", "500ms",
		"--remote", "1", "--workers", "1", "--listen", listen, "--json")
	coordinator.Env = append(coordinator.Env, envLoadToken+"="+token)
	seen := watch("waiting for 1")
	coordinator.Stderr = seen
	if err := coordinator.Start(); err != nil {
		t.Fatal(err)
	}
	seen.await(t)
	worker, _, _, said := start(t, "load", "worker", "--join", "nats://"+listen, "--name", "far")
	worker.Env = append(worker.Env, envLoadToken+"="+token)
	if err := worker.Run(); err != nil {
		t.Errorf("the worker: %v: %s", err, said)
	}
	_ = coordinator.Wait() // VALID or not is not the point.
	var r load.Result
	if err := json.Unmarshal(stdout.Bytes(), &r); err != nil {
		t.Fatalf("%v: %s", err, &seen.text)
	}
	if len(r.Workers) != 2 || r.Workers[0].Name != "far" || r.Workers[0].Sent == 0 || r.Totals.Sent != calls.Load() {
		t.Errorf("%d calls: %+v", calls.Load(), r.Workers)
	}
}

// spare are ports that no other process of these tests is given.
var spare = ports.New()

// freeAddress is one where nobody listens, and nobody will but whoever is told.
func freeAddress(t *testing.T) string {
	t.Helper()
	address, err := spare.Address()
	if err != nil {
		t.Fatal(err)
	}
	return address
}
