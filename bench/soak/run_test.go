package soak

import (
	"context"
	"errors"
	"fmt"
	"math"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// each reads one process after the other.
func each(read func(context.Context, Process) (Reading, error)) Read {
	return func(ctx context.Context, of []Process) ([]Reading, []error) {
		readings, errs := make([]Reading, len(of)), make([]error, len(of))
		for i, p := range of {
			readings[i], errs[i] = read(ctx, p)
		}
		return readings, errs
	}
}

// steady is a soak of ten minutes of two processes whose memory stays as it is,
// changed by a test. It runs in the time of a synctest bubble.
func steady(change func(o *Options)) Options {
	o := Options{
		WarmUp: time.Minute, Duration: 10 * time.Minute, Every: 5 * time.Second,
		List: func(context.Context) ([]Process, error) {
			return []Process{{Name: "book", Role: "book", Admin: "127.0.0.1:1"}, {Name: "ledger-1", Role: "instance", PID: 2}}, nil
		},
		Read: each(func(context.Context, Process) (Reading, error) {
			return Reading{StartedS: 1, Values: []float64{50 * mib, 100, 30}}, nil
		}),
		Progress: func(string) {},
	}
	o.Load = func(ctx context.Context) (Load, error) {
		wait := time.NewTimer(o.WarmUp + o.Duration + LoadSlack)
		defer wait.Stop()
		select {
		case <-wait.C:
		case <-ctx.Done():
		}
		return Load{RatePerS: 250, SentShare: 1, GoodShare: 1}, nil
	}
	change(&o)
	return o
}

func TestASoak(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		began := time.Now()
		r, err := Run(t.Context(), steady(func(*Options) {}))
		if err != nil {
			t.Fatal(err)
		}
		if !r.Flat || r.Partial || len(r.Processes) != 2 || r.Load.RatePerS != 250 {
			t.Errorf("%+v", r)
		}
		if n := len(r.Processes[0].Series[0].Points); n < 119 || n > 121 {
			t.Errorf("%d readings", n)
		}
		if took := time.Since(began); took != 11*time.Minute+LoadSlack {
			t.Errorf("took %v", took)
		}
	})
}

func TestASoakOfALeak(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		began := time.Now()
		r, err := Run(t.Context(), steady(func(o *Options) {
			o.Read = each(func(_ context.Context, p Process) (Reading, error) {
				files := 30.0
				if p.Name == "book" {
					files += time.Since(began).Seconds() / 10
				}
				return Reading{StartedS: 1, Values: []float64{50 * mib, 100, files}}, nil
			})
		}))
		if err != nil || r.Flat || r.Processes[0].Verdict != Grows || r.Processes[1].Verdict != Flat {
			t.Errorf("%+v, %v", r, err)
		}
	})
}

func TestASoakThatIsStopped(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), 6*time.Minute)
		defer cancel()
		r, err := Run(ctx, steady(func(*Options) {}))
		if err != nil || !r.Partial || r.Flat || r.DurationS < 299 || r.DurationS > 301 {
			t.Errorf("%+v, %v", r, err)
		}
		if r.Processes[0].Verdict != Flat {
			t.Errorf("what was measured: %+v", r.Processes[0])
		}
	})
}

func TestASoakThatCannotBe(t *testing.T) {
	broken := errors.New("broken")
	for name, c := range map[string]struct {
		change func(*Options)
		says   string
	}{
		"too short":          {func(o *Options) { o.Duration = time.Minute }, "12 readings"},
		"too often":          {func(o *Options) { o.Every = time.Millisecond }, "a load of its own"},
		"a negative warm-up": {func(o *Options) { o.WarmUp = -1 }, "warm-up"},
		"no platform":        {func(o *Options) { o.List = func(context.Context) ([]Process, error) { return nil, broken } }, "broken"},
		"no processes":       {func(o *Options) { o.List = func(context.Context) ([]Process, error) { return nil, nil } }, "no processes"},
		"no load at all": {func(o *Options) {
			o.Load = func(context.Context) (Load, error) { return Load{}, broken }
		}, "broken"},
		"a load that breaks off": {func(o *Options) {
			o.Load = func(context.Context) (Load, error) {
				<-time.After(5 * time.Minute) // In the bubble's time.
				return Load{}, broken
			}
		}, "broken"},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				if r, err := Run(t.Context(), steady(c.change)); err == nil || !strings.Contains(err.Error(), c.says) {
					t.Errorf("%+v, %v; want %q", r, err, c.says)
				}
			})
		})
	}
}

// TestAProcessThatIsSilent costs its own readings and nobody else's.
func TestAProcessThatIsSilent(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, err := Run(t.Context(), steady(func(o *Options) {
			o.Read = each(func(ctx context.Context, p Process) (Reading, error) {
				if p.Name == "book" {
					<-ctx.Done()
					return Reading{}, ctx.Err()
				}
				return Reading{StartedS: 1, Values: []float64{50 * mib, 100, 30}}, nil
			})
		}))
		if err != nil || r.Processes[0].Verdict != Unread || r.Processes[1].Verdict != Flat {
			t.Errorf("%+v, %v", r, err)
		}
	})
}

const page = `# HELP go_goroutines Number of goroutines that currently exist.
# TYPE go_goroutines gauge
go_goroutines 42
go_goroutines{instance="ledger-1",service="ledger"} 9
# TYPE process_open_fds gauge
process_open_fds 17
# TYPE process_resident_memory_bytes gauge
process_resident_memory_bytes 5.24288e+07
# TYPE process_start_time_seconds gauge
process_start_time_seconds{instance="ledger-1",service="ledger"} 1.6e+09
process_start_time_seconds 1.5091e+09
# TYPE bb_service_requests_total counter
bb_service_requests_total{service="ledger",code="OK"} 7
`

func TestReadingByMetrics(t *testing.T) {
	text := page
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/metrics" || r.Header.Get("Authorization") != "Bearer hush" {
			http.Error(w, "no", http.StatusUnauthorized)
			return
		}
		fmt.Fprint(w, text)
	}))
	defer server.Close()
	p := Process{Name: "a1", Admin: strings.TrimPrefix(server.URL, "http://")}
	below, gone := p, p
	below.Instance, gone.Instance = "ledger-1", "ledger-2"
	reader := NewReader("hush")
	defer reader.Close()
	got, errs := reader.Read(t.Context(), []Process{p, below, gone})
	if errs[0] != nil || got[0].StartedS != 1.5091e9 || got[0].Values[0] != 50*mib || got[0].Values[1] != 42 || got[0].Values[2] != 17 {
		t.Errorf("the process: %+v, %v", got[0], errs[0])
	}
	if errs[1] != nil || got[1].StartedS != 1.6e9 || got[1].Values[1] != 9 || !math.IsNaN(got[1].Values[0]) {
		t.Errorf("the one below it: %+v, %v", got[1], errs[1])
	}
	if errs[2] == nil {
		t.Errorf("the one that is gone: %+v", got[2])
	}
	stranger := NewReader("")
	defer stranger.Close()
	if _, errs := stranger.Read(t.Context(), []Process{p}); errs[0] == nil || !strings.Contains(errs[0].Error(), "401") {
		t.Errorf("without a token: %v", errs[0])
	}
	for name, bad := range map[string]string{"no metrics": "{", "another's": "up 1\n"} {
		text = bad
		if _, errs := reader.Read(t.Context(), []Process{p}); errs[0] == nil {
			t.Errorf("%s were read", name)
		}
	}
	if _, errs := reader.Read(t.Context(), []Process{{Admin: "127.0.0.1:1"}}); errs[0] == nil {
		t.Error("nobody was read")
	}
}

// TestAListenerIsAskedOnce for all that it tells of.
func TestAListenerIsAskedOnce(t *testing.T) {
	tracks := []Track{
		{Process: Process{Name: "a1", Admin: "h:1"}},
		{Process: Process{Name: "b1", Admin: "h:2"}},
		{Process: Process{Name: "ledger-1", Admin: "h:1", Instance: "ledger-1"}},
		{Process: Process{Name: "x", PID: 1}},
		{Process: Process{Name: "y", PID: 2}},
	}
	var got []string
	for _, page := range pagesOf(tracks) {
		var names []string
		for _, t := range page {
			names = append(names, t.Process.Name)
		}
		got = append(got, strings.Join(names, "+"))
	}
	if want := "a1+ledger-1 b1 x y"; strings.Join(got, " ") != want {
		t.Errorf("%q, want %q", got, want)
	}
}

func TestReadingByProc(t *testing.T) {
	root := t.TempDir()
	dir := filepath.Join(root, "42")
	if err := os.MkdirAll(filepath.Join(dir, "fd"), 0o755); err != nil {
		t.Fatal(err)
	}
	for _, fd := range []string{"0", "1", "2"} {
		if err := os.WriteFile(filepath.Join(dir, "fd", fd), nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	// A name with spaces and a parenthesis, as a process may give itself.
	const stat = "42 (a b) c) S 1 42 42 0 -1 4194560 100 0 0 0 5 6 0 0 20 0 9 0 8899 1000000 256 18446744073709551615 0 0\n"
	if err := os.WriteFile(filepath.Join(dir, "stat"), []byte(stat), 0o600); err != nil {
		t.Fatal(err)
	}
	got, err := readProc(root, 42)
	if err != nil || got.StartedS != 8899 || got.Values[0] != 256*float64(os.Getpagesize()) || got.Values[2] != 3 || !math.IsNaN(got.Values[1]) {
		t.Errorf("%+v, %v", got, err)
	}
	if _, err := readProc(root, 43); err == nil {
		t.Error("a process that is not there was read")
	}
	if runtime.GOOS != "linux" {
		t.Skip("SKIPPED: only Linux has /proc")
	}
	reader := NewReader("")
	defer reader.Close()
	if got, errs := reader.Read(t.Context(), []Process{{PID: os.Getpid()}}); errs[0] != nil || got[0].Values[0] < mib || got[0].Values[2] < 3 {
		t.Errorf("this process: %+v, %v", got, errs)
	}
}
