package main

import (
	"os"
	"sync"
	"testing"

	"breakbank/bench/picture"
	"breakbank/platform/cluster"
)

// inOne are the replays in one process that several tests look at, by arm.
var inOne struct {
	dir   string // of their files, until all tests have ended
	mu    sync.Mutex
	plays map[string]*onePlay
}

type onePlay struct {
	mu     sync.Mutex
	played *played
}

// inOneProcess is a replay of an arm, which the first who asks for it plays. With
// again it is played once more if it was INVALID.
func inOneProcess(t *testing.T, arm string, again bool) played {
	t.Helper()
	inOne.mu.Lock()
	if inOne.plays == nil {
		inOne.plays = map[string]*onePlay{}
	}
	of := inOne.plays[arm]
	if of == nil {
		of = &onePlay{}
		inOne.plays[arm] = of
	}
	inOne.mu.Unlock()
	of.mu.Lock()
	defer of.mu.Unlock()
	if of.played == nil || again && !of.played.Valid {
		out, err := os.MkdirTemp(inOne.dir, arm+"-")
		if err != nil {
			t.Fatal(err)
		}
		p := playInto(t, out, "--arm", arm)
		of.played = &p
	}
	return *of.played
}

// TestProcessesShowTheSamePicture: with its parts spread over processes the
// platform goes through the script as it does in one.
func TestProcessesShowTheSamePicture(t *testing.T) {
	further(t)
	for _, arm := range []string{"linkerd-2017", "guarded"} {
		t.Run(arm, func(t *testing.T) {
			credible(t, func(again bool) (bool, findings) {
				many := play(t, "--arm", arm, "--topology", cluster.LayoutProcesses)
				one := inOneProcess(t, arm, again)
				wrong := unseen(many)
				if c := picture.Compare(one.Result, many.Result); c.Differences > 0 {
					wrong.add("the pictures differ:\n%s", picture.Text(c))
				}
				return one.Valid && many.Valid, wrong
			})
		})
	}
}
