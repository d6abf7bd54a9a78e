package comparison

import (
	"fmt"
	"os/exec"
	"time"
)

// Bounds of what can be asked for.
const (
	BlocksMax = 200
	WindowMax = time.Minute
)

// Plan says how a comparison is run, whatever it is of.
type Plan struct {
	// Self makes a command that is this program with other arguments.
	Self   func(args ...string) *exec.Cmd
	Blocks int
	Window time.Duration
	Seed   uint64
	// Quick is said in the result: a run too short to decide anything by.
	Quick bool
	// Flags are said in the result: what the run was started with.
	Flags []string
	// Progress is told what goes on; nil for nobody.
	Progress func(Progress)
}

// Progress is what a run is about to do.
type Progress struct {
	Block, Blocks int
	// Doing is in words.
	Doing string
	// Left is the time until the end, as planned.
	Left time.Duration
}

// Check refuses what cannot be run. windowMin is the shortest window that means
// anything to what is measured.
func (p Plan) Check(windowMin time.Duration) error {
	switch {
	case p.Blocks < 1 || p.Blocks > BlocksMax:
		return fmt.Errorf("%d blocks: there can be 1 to %d", p.Blocks, BlocksMax)
	case p.Window < windowMin || p.Window > WindowMax:
		return fmt.Errorf("a window of %v: it can be %v to %v", p.Window, windowMin, WindowMax)
	}
	return nil
}

// Say reports progress. Blocks are numbered from 0.
func (p Plan) Say(block int, doing string, left time.Duration) {
	if p.Progress != nil {
		p.Progress(Progress{Block: block + 1, Blocks: p.Blocks, Doing: doing, Left: left})
	}
}
