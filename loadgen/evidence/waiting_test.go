package evidence

import (
	"os"
	"testing"
	"time"
)

// TestStalledIn reads texts as kernels write them.
func TestStalledIn(t *testing.T) {
	for name, c := range map[string]struct {
		text string
		want time.Duration
		ok   bool
	}{
		"Linux 5.13 and later": {
			"some avg10=0.46 avg60=0.42 avg300=1.61 total=7679659397\nfull avg10=0.00 avg60=0.00 avg300=0.00 total=5\n",
			7679659397 * time.Microsecond, true,
		},
		"before, without full": {"some avg10=1.00 avg60=2.00 avg300=3.00 total=17\n", 17 * time.Microsecond, true},
		"more fields":          {"some avg10=1.00 total=17 new=9\n", 17 * time.Microsecond, true},
		"never":                {"some avg10=0.00 avg60=0.00 avg300=0.00 total=0\n", 0, true},
		"full only":            {"full avg10=0.00 avg60=0.00 avg300=0.00 total=5\n", 0, false},
		"no total":             {"some avg10=0.00\n", 0, false},
		"no number":            {"some total=x\n", 0, false},
		"nothing":              {"", 0, false},
	} {
		if got, ok := stalledIn(c.text); got != c.want || ok != c.ok {
			t.Errorf("%s: %v, %v; want %v, %v", name, got, ok, c.want, c.ok)
		}
	}
}

func TestWaitedIn(t *testing.T) {
	for line, want := range map[string]time.Duration{
		"302029526 259697316 117\n": 259697316,
		"0 0 0\n":                   0,
		"1 -2 3\n":                  0,
		"1 x 3\n":                   0,
		"1\n":                       0,
		"":                          0,
	} {
		if got := waitedIn(line); got != want {
			t.Errorf("%q: %v, want %v", line, got, want)
		}
	}
}

// TestStalledIsReadHere says the same as the file, where there is one.
func TestStalledIsReadHere(t *testing.T) {
	before, beforeOK := Stalled()
	_, err := os.Stat(pressureFile)
	if beforeOK != (err == nil) {
		t.Fatalf("%s: %v, yet known is %v", pressureFile, err, beforeOK)
	}
	if after, _ := Stalled(); after < before {
		t.Errorf("%v after %v", after, before)
	}
}

func TestUsableShare(t *testing.T) {
	for _, c := range []struct{ cpuS, waitedS, allS, want float64 }{
		{0.5, 0, 2, 0.25},
		{0.5, 0.5, 1, 1}, // It had a processor, or waited for one, all the time.
		{0.5, 1, 2, 0.5}, // Others took one of two.
		{0.5, 7, 2, 1},   // Many threads waited at once.
		{0, 1.9, 2, 0},   // It did not use what it did not get.
		{0, 0, 0, 0},     // no time
		{2.1, 0, 2, 1},   // The clocks differ a little.
	} {
		if got := usableShare(c.cpuS, c.waitedS, c.allS); got != c.want {
			t.Errorf("%+v: %v", c, got)
		}
	}
}

func TestCondensed(t *testing.T) {
	if got := condensed([]float64{3, 1, 2}, 3); len(got) != 3 || got[0] != 3 {
		t.Errorf("few enough: %v", got)
	}
	if got := condensed([]float64{3, 1, 2, 9, 8, 7, 5}, 3); len(got) != 2 || got[0] != 2 || got[1] != 8 {
		t.Errorf("seven into three: %v", got)
	}
	if got := condensed(nil, 3); len(got) != 0 {
		t.Errorf("none: %v", got)
	}
}
