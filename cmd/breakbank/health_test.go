package main

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

func TestHealthIsWhatTheProcessSays(t *testing.T) {
	release := make(chan struct{})
	var asked atomic.Int64
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/healthz":
		case "/soon":
			if asked.Add(1) < 3 {
				http.Error(w, "not yet", http.StatusServiceUnavailable)
			}
		case "/elsewhere":
			http.Redirect(w, r, "/healthz", http.StatusFound)
		case "/silent":
			select {
			case <-release:
			case <-r.Context().Done():
			}
		default:
			http.Error(w, "not ready: etcd\nhas no leader", http.StatusServiceUnavailable)
		}
	}))
	defer server.Close()
	defer close(release)
	for name, c := range map[string]struct {
		url  string
		code int
		says string
	}{
		"well":               {server.URL + "/healthz", exitOK, ""},
		"well soon":          {server.URL + "/soon --wait=1m", exitOK, ""},
		"waited for":         {server.URL + "/readyz --wait=1s", exitFailed, "503 Service Unavailable: not ready: etcd has no leader"},
		"a wait too long":    {server.URL + "/readyz --wait=1h", exitUsage, "say 0 to 10m"},
		"not ready":          {server.URL + "/readyz", exitFailed, "503 Service Unavailable: not ready: etcd has no leader"},
		"elsewhere":          {server.URL + "/elsewhere", exitFailed, "302"},
		"nobody there":       {"http://" + freeAddress(t) + "/healthz", exitFailed, "connection refused"},
		"never answers":      {server.URL + "/silent", exitFailed, "did not answer within 2s"},
		"not HTTP":           {"ftp://127.0.0.1/healthz", exitUsage, "http://host:port/path"},
		"a file":             {"file:///etc/passwd", exitUsage, "http://host:port/path"},
		"no host":            {"http:///healthz", exitUsage, "http://host:port/path"},
		"an address alone":   {"127.0.0.1:7017", exitUsage, "http://host:port/path"},
		"nothing to look at": {"", exitUsage, "http://host:port/path"},
	} {
		t.Run(name, func(t *testing.T) {
			began := time.Now()
			code, stdout, stderr := command(t, append([]string{"health"}, strings.SplitN(c.url, " ", 2)...)...)
			if code != c.code || stdout != "" || !strings.Contains(stderr, c.says) {
				t.Errorf("exit code %d, want %d; said %q, want %q", code, c.code, stderr, c.says)
			}
			if lines := strings.Count(stderr, "\n"); c.code != exitOK && lines != 1 {
				t.Errorf("said %d lines: %s", lines, stderr)
			}
			if took := time.Since(began); took > 15*time.Second {
				t.Errorf("took %v", took)
			}
		})
	}
}
