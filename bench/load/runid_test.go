package load_test

import (
	"errors"
	"io/fs"
	"path/filepath"
	"regexp"
	"testing"
	"time"

	"breakbank/bench/load"
)

// TestRunsOfOneSecondHaveTwoNames, and two directories: what one has written is
// not overwritten by another.
func TestRunsOfOneSecondHaveTwoNames(t *testing.T) {
	began := time.Date(2017, time.October, 27, 13, 55, 0, 0, time.FixedZone("BST", 3600))
	one, other := load.NewRunID(began, "load", "Pay"), load.NewRunID(began, "load", "Pay")
	if one == other {
		t.Errorf("both are %s", one)
	}
	if !regexp.MustCompile(`^20171027-125500-load-Pay-[0-9a-f]{8}$`).MatchString(one) {
		t.Errorf("it is %s", one)
	}
	dir := filepath.Join(t.TempDir(), "out", one)
	r := &load.Result{RunID: one}
	if err := load.Write(dir, r); err != nil {
		t.Fatal(err)
	}
	if err := load.Write(dir, r); !errors.Is(err, fs.ErrExist) {
		t.Errorf("a second time: %v", err)
	}
}
