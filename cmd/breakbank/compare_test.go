package main

import (
	"encoding/json"
	"path/filepath"
	"strings"
	"testing"

	"breakbank/bench/picture"
	"breakbank/bench/replay"
	"breakbank/bench/result"
)

// replayedTo writes the result of a replay in which so many of a hundred card
// taps were approved.
func replayedTo(t *testing.T, topology string, ok int64) (dir string) {
	t.Helper()
	counts := result.Counts{Offered: 100, OK: ok, Failed: 100 - ok}
	data, err := json.Marshal(result.Result{
		Schema: result.Schema, Kind: result.KindReplay, RunID: topology, Scenario: "monzo-2017", Arm: "guarded",
		Topology: topology, Valid: true,
		Phases: []result.Phase{{Name: "baseline", Journeys: map[string]result.Journey{"card_tap": {Counts: counts}}}},
	})
	if err != nil {
		t.Fatal(err)
	}
	dir = t.TempDir()
	write(t, filepath.Join(dir, replay.ResultName), string(data))
	return dir
}

func TestCompareReplays(t *testing.T) {
	single, processes, broken := replayedTo(t, "single", 100), replayedTo(t, "processes", 99), replayedTo(t, "processes", 60)
	code, stdout, stderr := command(t, "compare", single, processes)
	if code != exitOK || !strings.Contains(stdout, "The pictures are the same.") {
		t.Errorf("exit code %d: %s%s", code, stdout, stderr)
	}
	code, stdout, stderr = command(t, "compare", single, broken)
	if code != exitFailed || !strings.Contains(stdout, "well ≠ partial") || strings.Count(stderr, "\n") != 1 {
		t.Errorf("exit code %d: %s%s", code, stdout, stderr)
	}
	code, stdout, _ = command(t, "compare", "--json", single, broken)
	var c picture.Comparison
	if err := json.Unmarshal([]byte(stdout), &c); code != exitFailed || err != nil || c.Differences != 1 {
		t.Errorf("exit code %d, %v: %s", code, err, stdout)
	}
}

func TestCompareSaysWhatIsWrong(t *testing.T) {
	good, empty, other := replayedTo(t, "single", 100), t.TempDir(), t.TempDir()
	write(t, filepath.Join(other, replay.ResultName), `{"schema": 1, "kind": "load"}`)
	file := filepath.Join(t.TempDir(), "file")
	write(t, file, "no directory")
	for name, c := range map[string]struct {
		args []string
		says string
	}{
		"one alone":       {[]string{good}, "<b>"},
		"no result there": {[]string{good, empty}, "result.json"},
		"no directory":    {[]string{good, file}, file},
		"nowhere":         {[]string{filepath.Join(empty, "none"), good}, "none"},
		"another kind":    {[]string{good, other}, `"load"`},
	} {
		code, stdout, stderr := command(t, append([]string{"compare"}, c.args...)...)
		if code != exitUsage || stdout != "" || !strings.Contains(stderr, c.says) || strings.Count(stderr, "\n") != 1 {
			t.Errorf("%s: exit code %d: %s%s", name, code, stdout, stderr)
		}
	}
}
