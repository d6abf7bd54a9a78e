package main

import (
	"encoding/json"
	"runtime"
	"runtime/debug"
	"strings"
	"testing"
)

func TestWhatABuildSays(t *testing.T) {
	checkout := func(version, modified string) *debug.BuildInfo {
		return &debug.BuildInfo{
			Main:     debug.Module{Version: version},
			Settings: []debug.BuildSetting{{Key: "vcs.revision", Value: "abc123"}, {Key: "vcs.modified", Value: modified}},
		}
	}
	for name, c := range map[string]struct {
		version, commit string
		info            *debug.BuildInfo
		want            string
	}{
		"the linker was told":            {"v1.2.3", "fedcba", checkout("v0.0.0-2026", "true"), "breakbank v1.2.3, commit fedcba, "},
		"told of changes":                {"v1.2.3", "fedcba-dirty", nil, "breakbank v1.2.3, commit fedcba with changes, "},
		"from a checkout":                {"", "", checkout("v0.0.0-2026", "false"), "breakbank v0.0.0-2026, commit abc123, "},
		"from a checkout with changes":   {"", "", checkout("(devel)", "true"), "breakbank devel, commit abc123 with changes, "},
		"from sources without a history": {"", "", &debug.BuildInfo{}, "breakbank devel, commit unknown, "},
		"nobody says anything":           {"", "", nil, "breakbank devel, commit unknown, "},
	} {
		if got := describeBuild(c.version, c.commit, c.info).String(); !strings.HasPrefix(got, c.want+"go") {
			t.Errorf("%s: %q, want %q", name, got, c.want)
		}
	}
}

func TestVersionPrints(t *testing.T) {
	code, stdout, stderr := command(t, "version", "--json")
	var b buildFacts
	if err := json.Unmarshal([]byte(stdout), &b); code != exitOK || err != nil {
		t.Fatalf("exit code %d, %v: %s%s", code, err, stdout, stderr)
	}
	if b.Go != runtime.Version() || b.Platform != runtime.GOOS+"/"+runtime.GOARCH || b.Version == "" {
		t.Errorf("%+v", b)
	}
	if code, stdout, _ := command(t, "version"); code != exitOK || strings.Count(stdout, "\n") != 1 {
		t.Errorf("exit code %d: %q", code, stdout)
	}
}
