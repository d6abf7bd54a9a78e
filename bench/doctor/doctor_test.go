package doctor

import (
	"context"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"breakbank/bench/golden"
	"breakbank/platform/ports"
)

func of[T any](v T) *T { return &v }

// wellMachine has all that runs want.
func wellMachine() Facts {
	return Facts{
		OS: "linux", Cores: 16, UsableCores: 16, MemoryBytes: of(int64(64 << 30)), AvailableBytes: of(int64(60 << 30)),
		Load1: of(0.1), Pressures: map[string]float64{"cpu": 0, "io": 0.5, "memory": 0}, Busy: of(0.01), Stolen: of(0.0),
		Disks: []Disk{{Dir: "/tmp", Needed: true, FreeBytes: 100 << 30, Syncs: 500, P50: 200 * time.Microsecond, P99: 2 * time.Millisecond, Max: 4 * time.Millisecond}},
		Ports: Ports{Range: ports.Range{12000, 31999}, Tried: 1000, Control: "127.0.0.1:7017"}, FilesMax: 1 << 20,
		Ephemeral: &[2]int{32768, 60999}, ListenQueue: of(4096),
		Docker: Docker{Client: "28.1.0", Server: "28.1.0", Compose: "2.35.0", ComposeCommand: "docker compose"}, GoTool: "1.26.0", Go: "go1.26.0",
		Tools: []Tool{{Name: "haproxy", For: "'breakbank peers router'", Path: "/usr/sbin/haproxy", Version: "2.6.12"}},
	}
}

func TestWhatAMachineIsToldOf(t *testing.T) {
	for _, f := range Judge(wellMachine()) {
		if f.Level != OK || f.Value == "" || f.Means == "" || strings.Contains(f.Means+f.Value, "\n") {
			t.Errorf("of a machine that has everything: %+v", f)
		}
	}
	for _, c := range []struct {
		name   string
		change func(*Facts)
		about  string
		want   Level
		says   string
	}{
		{"one core", func(f *Facts) { f.UsableCores = 1 }, "cores", Warn, "latencies mean nothing"},
		{"two of many cores", func(f *Facts) { f.UsableCores = 2 }, "cores", Warn, "2 of 16"},
		{"four cores", func(f *Facts) { f.Cores, f.UsableCores = 4, 4 }, "cores", OK, "5 ms"},
		{"no memory left", func(f *Facts) { *f.AvailableBytes = 200 << 20 }, "memory", Bad, "0.5 GiB"},
		{"little memory left", func(f *Facts) { *f.AvailableBytes = 1 << 30 }, "memory", Warn, "single"},
		{"memory not told", func(f *Facts) { f.MemoryBytes = nil }, "memory", Warn, "not told"},
		{"a busy machine", func(f *Facts) { *f.Load1 = 9 }, "load average", Warn, "9.00"},
		{"others at work", func(f *Facts) { *f.Busy = 0.4 }, "busy with others", Warn, "40.0 %"},
		{"a host that steals", func(f *Facts) { *f.Stolen = 0.02 }, "steal", Warn, "INVALID"},
		{"steal not told", func(f *Facts) { f.Stolen = nil }, "steal", Warn, "not told"},
		{"tasks wait for the disk", func(f *Facts) { f.Pressures["io"] = 30 }, "pressure io", Warn, "30.0 %"},
		{"no pressure is told", func(f *Facts) { f.Pressures = nil }, "pressure", Warn, "not told"},
		{"a directory not ours", func(f *Facts) { f.Disks[0] = Disk{Dir: "/root", Needed: true, Error: "permission denied"} }, "room in /root", Bad, "permission denied"},
		{"results go elsewhere", func(f *Facts) { f.Disks[0] = Disk{Dir: "/root", Error: "permission denied"} }, "room in /root", Warn, "--out"},
		{"a full disk", func(f *Facts) { f.Disks[0].FreeBytes = 1 << 20 }, "room in /tmp", Bad, "TMPDIR"},
		{"a nearly full disk", func(f *Facts) { f.Disks[0].FreeBytes = 1 << 30 }, "room in /tmp", Warn, "1.0 GiB"},
		{"a slow disk", func(f *Facts) { f.Disks[0].P99 = 30 * time.Millisecond }, "fsync in /tmp", Warn, "within 10 ms"},
		{"a disk too slow for a p99", func(f *Facts) { f.Disks[0].Syncs, f.Disks[0].P99, f.Disks[0].Max = 20, 0, time.Second }, "fsync in /tmp", Warn, "max 1000 ms"},
		{"a disk that hangs", func(f *Facts) { f.Disks[0].Syncs = 0 }, "fsync in /tmp", Warn, "not measured"},
		{"a disk of memory", func(f *Facts) { f.Disks[0].P50 = time.Microsecond }, "fsync in /tmp", Warn, "too fast"},
		{"no loopback", func(f *Facts) { f.Ports.Tried = 0 }, "ports 12000–31999", Bad, "127.0.0.1"},
		{"hardly a port", func(f *Facts) { f.Ports.Taken = 950 }, "ports 12000–31999", Bad, "5 % free"},
		{"many ports taken", func(f *Facts) { f.Ports.Taken = 300 }, "ports 12000–31999", Warn, "70 % free"},
		{"a stack is up", func(f *Facts) { f.Ports.ControlTaken = true }, "control API", Warn, "127.0.0.1:7017 is taken"},
		{"few files", func(f *Facts) { f.FilesMax = 256 }, "open files", Bad, "ulimit"},
		{"not many files", func(f *Facts) { f.FilesMax = 4096 }, "open files", Warn, "ulimit"},
		{"ports that overlap", func(f *Facts) { f.Ephemeral = &[2]int{1024, 65535} }, "ports of callers", Warn, "overlap"},
		{"few ports of callers", func(f *Facts) { f.Ephemeral = &[2]int{60000, 60999} }, "ports of callers", Warn, "few"},
		{"a short queue", func(f *Facts) { *f.ListenQueue = 128 }, "listen queue", Warn, "somaxconn"},
		{"no docker", func(f *Facts) { f.Docker = Docker{} }, "docker", Warn, "single and processes need none"},
		{"no daemon", func(f *Facts) { f.Docker.Server, f.Docker.Error = "", "is it running?" }, "docker", Warn, "is it running?"},
		{"no compose", func(f *Facts) { f.Docker.Compose = "" }, "docker compose", Warn, "not installed"},
		{"old compose", func(f *Facts) { f.Docker.ComposeCommand = "docker-compose" }, "docker compose", OK, "'docker-compose up'"},
		{"no Go", func(f *Facts) { f.GoTool = "" }, "go", Warn, "needs none"},
		{"no haproxy", func(f *Facts) { f.Tools[0].Path = "" }, "haproxy", Warn, "left out of 'breakbank peers router'"},
		{"a haproxy that is silent", func(f *Facts) { f.Tools[0].Version = "" }, "haproxy", OK, "version unknown"},
	} {
		facts := wellMachine()
		c.change(&facts)
		findings := Judge(facts)
		i := slices.IndexFunc(findings, func(f Finding) bool { return f.Name == c.about })
		if i < 0 {
			t.Errorf("%s: nothing is said about %s: %+v", c.name, c.about, findings)
			continue
		}
		if f := findings[i]; f.Level != c.want || !strings.Contains(f.Value+" "+f.Means, c.says) {
			t.Errorf("%s: %+v, want %s and %q", c.name, f, c.want, c.says)
		}
		if got := len(Impossible(findings)); got != map[bool]int{true: 1}[c.want == Bad] {
			t.Errorf("%s: %d things make runs impossible", c.name, got)
		}
	}
}

func TestText(t *testing.T) {
	f := wellMachine()
	f.UsableCores = 2
	f.Disks = append(f.Disks, Disk{Dir: "/nowhere", Error: "no such file or directory"})
	golden.Check(t, filepath.Join("testdata", "findings.golden"), Text(Judge(f), false))
}

func TestFilesOfTheKernel(t *testing.T) {
	if got := parseLoad("0.52 0.58 0.59 1/389 12345\n"); got == nil || *got != 0.52 {
		t.Errorf("load %v", got)
	}
	if got := parseLoad(""); got != nil {
		t.Errorf("load of nothing: %v", *got)
	}
	const stall = "some avg10=12.34 avg60=4.25 avg300=3.12 total=10789701191\nfull avg10=1.00 avg60=0.00 avg300=0.00 total=0\n"
	if got, ok := parsePressure(stall); !ok || got != 12.34 {
		t.Errorf("pressure %v, %v", got, ok)
	}
	for _, text := range []string{"", "some", "some avg10=x", "full avg10=1.00"} {
		if got, ok := parsePressure(text); ok {
			t.Errorf("pressure of %q: %v", text, got)
		}
	}
	const info = "MemTotal:       24638236 kB\nMemFree:         1000 kB\nMemAvailable:   2048 kB\n"
	if got := parseMemory(info, "MemAvailable:"); got == nil || *got != 2<<20 {
		t.Errorf("memory %v", got)
	}
	if got := parseMemory("MemAvailable: many kB", "MemAvailable:"); got != nil {
		t.Errorf("memory %v", *got)
	}
	if got := parseRange("32768\t60999\n"); got == nil || *got != [2]int{32768, 60999} {
		t.Errorf("range %v", got)
	}
	for _, text := range []string{"", "32768", "a b"} {
		if got := parseRange(text); got != nil {
			t.Errorf("range of %q: %v", text, *got)
		}
	}
}

func TestVersions(t *testing.T) {
	for text, want := range map[string]string{
		"HAProxy version 2.6.12-1+deb12u4 2026/10/02 - https://haproxy.org/": "2.6.12-1+deb12u4",
		"nginx version: nginx/1.22.1":                                        "1.22.1",
		"Client Version: v1.32.4\nKustomize Version: v5.5.0":                 "1.32.4",
		"20.10.24+dfsg1\n": "20.10.24+dfsg1",
		"go1.26.8":         "1.26.8",
		"dev":              "",
		"":                 "",
	} {
		if got := versionIn(text); got != want {
			t.Errorf("%q: %q, want %q", text, got, want)
		}
	}
}

func TestPercentiles(t *testing.T) {
	var took []time.Duration
	for i := range 200 {
		took = append(took, time.Duration(200-i))
	}
	if n, p50, p99, most := percentiles(took); n != 200 || p50 != 100 || p99 != 198 || most != 200 {
		t.Errorf("%d %d %d %d", n, p50, p99, most)
	}
	if n, p50, p99, most := percentiles(took[:3]); n != 3 || p50 != 2 || p99 != 0 || most != 3 {
		t.Errorf("of three: %d %d %d %d", n, p50, p99, most)
	}
	if n, _, _, _ := percentiles(nil); n != 0 {
		t.Errorf("of none: %d", n)
	}
}

func TestProbesOfThisMachine(t *testing.T) {
	dir := t.TempDir()
	d := probeDisk(t.Context(), dir)
	if d.Error != "" || d.Syncs == 0 || d.P50 <= 0 || d.Max < d.P50 || d.FreeBytes <= 0 {
		t.Errorf("%+v", d)
	}
	if left, err := os.ReadDir(dir); err != nil || len(left) != 0 {
		t.Errorf("left behind: %v, %v", left, err)
	}
	if d := probeDisk(t.Context(), filepath.Join(dir, "none")); d.Error == "" {
		t.Errorf("a directory that is not there: %+v", d)
	}
	taken, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	port := taken.Addr().(*net.TCPAddr).Port
	p := probePorts(t.Context(), ports.Range{port, port}, taken.Addr().String())
	if p.Tried != 1 || p.Taken != 1 || !p.ControlTaken {
		t.Errorf("%+v", p)
	}
	if n := openFilesMax(); n <= 0 {
		t.Errorf("%d files", n)
	}
}

// TestAProgramThatHangs is not waited for longer than a probe may take.
func TestAProgramThatHangs(t *testing.T) {
	path := filepath.Join(t.TempDir(), "hangs")
	if err := os.WriteFile(path, []byte("#!/bin/sh\necho 1.2.3\nsleep 60\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
	defer cancel()
	began := time.Now()
	ask(ctx, path)
	if took := time.Since(began); took > 10*time.Second {
		t.Errorf("it was waited for %v", took)
	}
	if got := versionIn(ask(t.Context(), "/bin/echo", "v4.5.6")); got != "4.5.6" {
		t.Errorf("said %q", got)
	}
}
