package telemetry_test

import (
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"google.golang.org/protobuf/proto"

	"breakbank/platform/telemetry"
	adminv1 "breakbank/proto/admin/v1"
)

func openLogs(t *testing.T, c telemetry.LogsConfig) *telemetry.Logs {
	t.Helper()
	l, err := telemetry.OpenLogs(c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := l.Close(); err != nil {
			t.Errorf("close: %v", err)
		}
	})
	return l
}

func TestLogsAreFilesAPart(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "logs")
	if err := os.MkdirAll(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	before := filepath.Join(dir, "router-a1.log")
	if err := os.WriteFile(before, []byte("before\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	l := openLogs(t, telemetry.LogsConfig{Dir: dir})
	l.Of("router-a1").Info("watching", "source", "apiserver-a")
	l.Of("router-a1").Debug("not asked for")
	l.Of("nats").Warn("away")
	text, err := os.ReadFile(before)
	if err != nil {
		t.Fatal(err)
	}
	old, written, _ := strings.Cut(string(text), "\n")
	var got struct{ Level, Msg, Part, Source string }
	if err := json.Unmarshal([]byte(written), &got); err != nil {
		t.Fatalf("%v in %q", err, written)
	}
	if old != "before" || got.Level != "INFO" || got.Msg != "watching" || got.Part != "router-a1" || got.Source != "apiserver-a" {
		t.Errorf("wrote %+v behind %q", got, old)
	}
	if _, err := os.Stat(filepath.Join(dir, "nats.log")); err != nil {
		t.Error(err)
	}
}

func TestTextLogs(t *testing.T) {
	dir := t.TempDir()
	l := openLogs(t, telemetry.LogsConfig{Dir: dir, Format: telemetry.Text, Level: slog.LevelDebug})
	l.Of("book").Debug("seeding")
	text, err := os.ReadFile(filepath.Join(dir, "book.log"))
	if err != nil || !strings.Contains(string(text), "level=DEBUG msg=seeding part=book\n") {
		t.Errorf("%q, %v", text, err)
	}
	if _, err := telemetry.OpenLogs(telemetry.LogsConfig{Format: "xml"}); err == nil {
		t.Error("a format that there is none of was taken")
	}
}

func TestSearch(t *testing.T) {
	l := openLogs(t, telemetry.LogsConfig{})
	l.Of("router-a1").Info("started")
	l.Of("router-b1").Error("parse", "error", `field "subsets" is null`)
	l.Of("router-a1").Error("parse", "error", `field "subsets" is null`)
	l.Of("nats").Info("parse")
	for _, test := range []struct {
		part, text  string
		found, logs int64
		firstLog    string
	}{
		{"router-", "parse", 2, 2, "router-b1"},
		{"router-", `field "subsets" is null`, 2, 2, "router-b1"},
		{"router-", `field \"subsets\" is null`, 2, 2, "router-b1"},
		{"router-a", "parse", 1, 1, "router-a1"},
		{"", "parse", 3, 3, "router-b1"},
		{"", "nothing of the kind", 0, 3, ""},
		{"cardnet", "parse", 0, 0, ""},
	} {
		got := l.Search(test.part, test.text)
		if got.GetFound() != test.found || got.GetLogs() != test.logs || got.GetFirstLog() != test.firstLog {
			t.Errorf("%q in %q*: %v", test.text, test.part, got)
		}
		if (test.found > 0) != strings.Contains(got.GetFirst(), `"msg":"parse"`) {
			t.Errorf("%q in %q*: first is %q", test.text, test.part, got.GetFirst())
		}
	}
}

// What is kept in memory is the latest, and not more than the bounds.
func TestSearchIsBounded(t *testing.T) {
	l := openLogs(t, telemetry.LogsConfig{})
	log := l.Of("feed")
	for i := range 5000 {
		log.Info("entry", "line", fmt.Sprintf("n%d.", i))
	}
	if got := l.Search("feed", "entry"); got.GetFound() != 2000 || !strings.Contains(got.GetFirst(), "n3000.") {
		t.Errorf("of 5000 short lines: %v", got)
	}
	for range 2000 {
		log.Info("long", "text", strings.Repeat("x", 100_000))
	}
	if got := l.Search("feed", "long"); got.GetFound() < 100 || got.GetFound() > 128 {
		t.Errorf("of 2000 long lines %d are kept", got.GetFound())
	}
	if got := l.Search("feed", "entry"); got.GetFound() != 0 {
		t.Errorf("older lines have outlived younger ones: %v", got)
	}
}

func TestLogsRotate(t *testing.T) {
	dir := t.TempDir()
	l := openLogs(t, telemetry.LogsConfig{Dir: dir})
	log, line := l.Of("load"), strings.Repeat("x", 1<<20)
	for range 70 {
		log.Info("line", "text", line)
	}
	old, err := os.Stat(filepath.Join(dir, "load.log.1"))
	if err != nil {
		t.Fatal(err)
	}
	now, err := os.Stat(filepath.Join(dir, "load.log"))
	if err != nil {
		t.Fatal(err)
	}
	if total := old.Size() + now.Size(); old.Size() > 64<<20 || total < 70<<20 {
		t.Errorf("%d bytes and %d bytes", old.Size(), now.Size())
	}
}

func TestLogsTogether(t *testing.T) {
	l := openLogs(t, telemetry.LogsConfig{Dir: t.TempDir()})
	var writing sync.WaitGroup
	for range 8 {
		writing.Go(func() {
			for range 100 {
				l.Of("fps").Info("accepted")
				l.Search("", "accepted")
			}
		})
	}
	writing.Wait()
	if got := l.Search("fps", "accepted").GetFound(); got != 800 {
		t.Errorf("%d of 800 lines", got)
	}
}

func TestTheOldestLineIsFound(t *testing.T) {
	line := func(of, first string) *adminv1.SearchLogsResponse {
		return &adminv1.SearchLogsResponse{Found: 1, Logs: 1, First: first, FirstLog: of}
	}
	got := telemetry.MergeFound(
		line("text", "time=2017-10-27T13:10:00.002Z level=INFO msg=call"),
		line("json", `{"time":"2017-10-27T13:10:00.001999Z","level":"INFO","msg":"call"}`),
		line("zone", `{"time":"2017-10-27T14:10:00.002+01:00","level":"INFO","msg":"call"}`),
	)
	if got.GetFirstLog() != "json" || got.GetFound() != 3 || got.GetLogs() != 3 {
		t.Errorf("found %v", got)
	}
}

// Whoever gathers the logs of several processes asks over HTTP, and adds up.
func TestSearchOverHTTP(t *testing.T) {
	var stderr strings.Builder
	first, second := openLogs(t, telemetry.LogsConfig{Also: &stderr}), openLogs(t, telemetry.LogsConfig{})
	first.Of("ledger").Info("call", "request_id", "tap", "junk", "\xff")
	second.Of("cardauth").Info("call", "request_id", "tap")
	first.Of("ledger").Info("call", "request_id", "tap")
	search := func(l *telemetry.Logs, part string) *adminv1.SearchLogsResponse {
		w := httptest.NewRecorder()
		l.ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/logs?"+telemetry.SearchQuery(part, `tap`), nil))
		var found adminv1.SearchLogsResponse
		if err := proto.Unmarshal(w.Body.Bytes(), &found); err != nil || w.Code != http.StatusOK {
			t.Fatalf("%d, %v", w.Code, err)
		}
		return &found
	}
	got := telemetry.MergeFound(search(second, ""), nil, search(first, ""), search(first, "nats"))
	if got.GetFound() != 3 || got.GetLogs() != 2 || got.GetFirstLog() != "ledger" || !strings.Contains(got.GetFirst(), "junk") {
		t.Errorf("found %v", got)
	}
	if strings.Count(stderr.String(), "\n") != 2 {
		t.Errorf("passed on %q", stderr.String())
	}
}
