package main

import (
	"encoding/json"
	"path/filepath"
	"strings"
	"testing"

	"breakbank/bench/doctor"
)

func TestDoctor(t *testing.T) {
	code, stdout, stderr := command(t, "doctor", "--json", "--dir", t.TempDir())
	var said struct {
		Facts    doctor.Facts     `json:"facts"`
		Findings []doctor.Finding `json:"findings"`
	}
	if err := json.Unmarshal([]byte(stdout), &said); err != nil {
		t.Fatalf("exit code %d, %v: %s%s", code, err, stdout, stderr)
	}
	// Whether runs are possible here is this machine's affair; that it says so
	// is ours.
	if impossible := len(doctor.Impossible(said.Findings)) > 0; impossible != (code == exitFailed) || code > exitFailed {
		t.Errorf("exit code %d: %s", code, stderr)
	}
	if said.Facts.Cores < 1 || len(said.Facts.Disks) != 2 || said.Facts.Disks[1].Error != "" {
		t.Errorf("%+v", said.Facts)
	}
}

func TestDoctorSaysWhatIsWrong(t *testing.T) {
	code, stdout, stderr := command(t, "doctor", "--dir", filepath.Join(t.TempDir(), "none"))
	if code != exitUsage || stdout != "" || !strings.Contains(stderr, "none") || strings.Count(stderr, "\n") != 1 {
		t.Errorf("exit code %d: %s%s", code, stdout, stderr)
	}
}
