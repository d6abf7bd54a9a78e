package main

import "testing"

// TestReplaysThatBeginTogetherAreKeptApart: neither writes over the other's
// files, and in one bank neither makes the other's payments.
func TestReplaysThatBeginTogetherAreKeptApart(t *testing.T) {
	c := replayCommand{Scenario: "monzo-2017-short", Arm: "naive,guarded", Topology: "single", Customers: "even", Out: t.TempDir()}
	dirs := map[string]bool{}
	for range 2 {
		turns, err := c.prepare()
		if err != nil {
			t.Fatal(err)
		}
		for _, turn := range turns {
			dirs[turn.dir] = true
		}
	}
	if len(dirs) != 4 {
		t.Errorf("four replays go to %d directories: %v", len(dirs), dirs)
	}
}
