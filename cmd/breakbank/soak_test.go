package main

import (
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"breakbank/bench/soak"
	"breakbank/platform/cluster"
	adminv1 "breakbank/proto/admin/v1"
)

func TestSoakSaysWhatIsWrong(t *testing.T) {
	s := startFakeStack(t, &fakeStack{token: "hush-hush"})
	file := filepath.Join(t.TempDir(), "file")
	write(t, file, "in the way")
	nowhere := freeAddress(t)
	for name, c := range map[string]struct {
		args []string
		code int
		says string
	}{
		"no rate":          {nil, exitUsage, "--rate"},
		"no journeys":      {[]string{"--rate", "0"}, exitUsage, "more than 0"},
		"a rate of words":  {[]string{"--rate", "half"}, exitUsage, "--rate"},
		"too short":        {[]string{"--rate", "10", "--duration", "10s"}, exitUsage, "2 readings"},
		"read too often":   {[]string{"--rate", "10", "--every", "1ms"}, exitUsage, "a load of its own"},
		"an unknown arm":   {[]string{"--rate", "10", "--arm", "linkerd-2016"}, exitUsage, "linkerd-2016"},
		"results nowhere":  {[]string{"--rate", "10", "--out", filepath.Join(file, "out")}, exitUsage, "not a directory"},
		"nobody there":     {[]string{"--rate", "10", "--control", nowhere}, exitFailed, nowhere},
		"no token for it":  {[]string{"--rate", "10", "--control", s.address}, exitFailed, "wants a token"},
		"no such context":  {[]string{"--rate", "10", "--context", "elsewhere"}, exitUsage, "elsewhere"},
		"a negative start": {[]string{"--rate", "10", "--warm-up=-1s"}, exitUsage, "warm-up"},
	} {
		t.Run(name, func(t *testing.T) {
			code, stdout, stderr := command(t, append([]string{"bench", "soak"}, c.args...)...)
			if code != c.code || stdout != "" || !strings.Contains(stderr, c.says) || strings.Count(stderr, "\n") != 1 {
				t.Errorf("exit code %d, want %d: %s%s, want %q", code, c.code, stdout, stderr, c.says)
			}
		})
	}
}

func TestWhatCanBeSoaked(t *testing.T) {
	state := &adminv1.WatchStateResponse{
		Processes: []*adminv1.ProcessState{
			{Name: "book", Role: "book", AdminAddress: "127.0.0.1:1", Pid: 10},
			{Name: "a1", Role: "node", AdminAddress: "127.0.0.1:2", Pid: 11},
			{Name: "ledger-1", Role: "instance", Pid: 12},
			{Name: "stray-1", Role: "instance", Pid: 13},
			{Name: "stray-2", Role: "instance"},
		},
		Instances: []*adminv1.InstanceState{{Name: "ledger-1", Node: "a1"}},
	}
	book := soak.Process{Name: "book", Role: "book", Admin: "127.0.0.1:1", PID: 10}
	node := soak.Process{Name: "a1", Role: "node", Admin: "127.0.0.1:2", PID: 11}
	ledger := soak.Process{Name: "ledger-1", Role: "instance", Admin: "127.0.0.1:2", Instance: "ledger-1", PID: 12}
	stray := soak.Process{Name: "stray-1", Role: "instance", Instance: "stray-1", PID: 13}
	for _, c := range []struct {
		name   string
		layout string
		state  *adminv1.WatchStateResponse
		want   []soak.Process
	}{
		{"processes of this machine", cluster.LayoutProcesses, state, []soak.Process{book, node, ledger, stray}},
		{"containers have PIDs of their own", cluster.LayoutContainers, state, []soak.Process{book, node, ledger}},
		{"all in one", cluster.LayoutSingle, nil, []soak.Process{{Name: "platform", Role: "all", Admin: "127.0.0.1:7017"}}},
	} {
		if got := soakable(c.layout, c.state, "127.0.0.1:7017"); !slices.Equal(got, c.want) {
			t.Errorf("%s: %+v, want %+v", c.name, got, c.want)
		}
	}
}

func TestWhatASoakComesTo(t *testing.T) {
	carried := soak.Load{SentShare: 1, GoodShare: 1}
	flat, grows := soak.ProcessResult{Name: "book", Verdict: soak.Flat}, soak.ProcessResult{Name: "a1", Verdict: soak.Grows}
	for name, c := range map[string]struct {
		r    soak.Result
		code int
		says string
	}{
		"flat":         {soak.Result{Load: carried, Processes: []soak.ProcessResult{flat}}, exitOK, ""},
		"grows":        {soak.Result{Load: carried, Processes: []soak.ProcessResult{flat, grows}}, exitMissed, "a1 grows"},
		"stopped":      {soak.Result{Load: carried, Partial: true}, exitFailed, "partial"},
		"without load": {soak.Result{Load: soak.Load{SentShare: 1, GoodShare: 0.5}, Processes: []soak.ProcessResult{flat}}, exitInvalid, "50.0 % answered well"},
	} {
		err := judgeSoak(&c.r)
		switch {
		case c.code == exitOK:
			if err != nil {
				t.Errorf("%s: %v", name, err)
			}
		case err == nil || exitCode(err) != c.code || !strings.Contains(err.Error(), c.says):
			t.Errorf("%s: %v, want exit code %d and %q", name, err, c.code, c.says)
		}
	}
}
