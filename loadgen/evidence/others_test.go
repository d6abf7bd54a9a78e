package evidence_test

import (
	"net"
	"runtime"
	"testing"

	"breakbank/loadgen/evidence"
)

// TestWhoUsedTheProcessors has two processes use as much: the one that listens at
// the target is measured, the other is not.
func TestWhoUsedTheProcessors(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("SKIPPED: only Linux tells who used its processors")
	}
	server, other := start(t, jobServe, 0), start(t, jobBurn, 0)
	target := server.line(t)
	watch, own := evidence.WatchOthers(), evidence.WatchOthers()
	for _, p := range []*process{server, other} {
		p.say(t, "burn")
	}
	for _, p := range []*process{server, other} {
		p.line(t)
	}
	spent, known := watch.Stop(t.Context(), []string{target})
	// Ticks of 10 ms, and what a process uses beside.
	least, most := burnt.Seconds()*0.9, burnt.Seconds()*1.5
	if !known || spent.MeasuredS < least || spent.MeasuredS > most {
		t.Errorf("known: %v, %+v; the server used %v", known, spent, burnt)
	}
	// Those of the machine are counted by samples.
	if rest := spent.BusyS - spent.OursS - spent.MeasuredS; rest < burnt.Seconds()/2 || spent.OthersShare() <= 0 {
		t.Errorf("others used %v: %+v", burnt, spent)
	}
	// Both are this process's own.
	if spent, known = own.StopOwn(); !known || spent.MeasuredS < 2*least || spent.MeasuredS > 2*most {
		t.Errorf("known: %v, %+v; own processes used twice %v", known, spent, burnt)
	}
}

// TestOwnProcessesThatAreNot: of a platform that somebody else has started, it is
// not known who used what.
func TestOwnProcessesThatAreNot(t *testing.T) {
	if spent, known := evidence.WatchOthers().StopOwn(); known {
		t.Errorf("%+v", spent)
	}
	if spent, known := new(evidence.OthersWatch).StopOwn(); known {
		t.Errorf("a watch that was never begun: %+v", spent)
	}
}

// TestWhatOthersUsedIsNotKnown where the measured cannot be found.
func TestWhatOthersUsedIsNotKnown(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	gone := l.Addr().String()
	l.Close()
	young := evidence.WatchOthers()
	later := start(t, jobServe, 0)
	for name, c := range map[string]struct {
		watch   *evidence.OthersWatch
		targets []string
	}{
		"no target":                 {evidence.WatchOthers(), nil},
		"another machine":           {evidence.WatchOthers(), []string{"192.0.2.1:80"}},
		"nobody listens":            {evidence.WatchOthers(), []string{gone}},
		"started while it was on":   {young, []string{later.line(t)}},
		"an address that is none":   {evidence.WatchOthers(), []string{"here"}},
		"a port that is none":       {evidence.WatchOthers(), []string{"127.0.0.1:-"}},
		"never begun, as elsewhere": {&evidence.OthersWatch{}, []string{gone}},
	} {
		if spent, known := c.watch.Stop(t.Context(), c.targets); known {
			t.Errorf("%s: %+v", name, spent)
		}
	}
}
