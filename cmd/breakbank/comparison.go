package main

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"time"

	"breakbank/bench/peers/comparison"
)

// ownCommand makes commands that are this program with other arguments.
func ownCommand() (func(args ...string) *exec.Cmd, error) {
	executable, err := os.Executable()
	if err != nil {
		return nil, fmt.Errorf("find this program: %w", err)
	}
	return func(args ...string) *exec.Cmd { return exec.Command(executable, args...) }, nil
}

// replan puts --blocks and --seconds, where they are given, into a plan.
func replan(p *comparison.Plan, blocks *int, seconds *float64, windowMin time.Duration) error {
	if blocks != nil {
		p.Blocks = *blocks
	}
	if seconds == nil {
		return nil
	}
	least, most := windowMin.Seconds(), comparison.WindowMax.Seconds()
	if !(*seconds >= least && *seconds <= most) {
		return fmt.Errorf("--seconds %g: a window can be %g to %g", *seconds, least, most)
	}
	p.Window = time.Duration(*seconds * float64(time.Second))
	return nil
}

// progressEach is how often progress is said within a block.
const progressEach = 5 * time.Second

// sayProgress writes where a run is, a line at a time, not too often.
func sayProgress(t terminal) func(comparison.Progress) {
	block, said := 0, time.Time{}
	return func(now comparison.Progress) {
		if now.Block == block && time.Since(said) < progressEach {
			return
		}
		block, said = now.Block, time.Now()
		fmt.Fprintf(t.err, "block %d of %d, %s; %v left\n", now.Block, now.Blocks, now.Doing, now.Left.Round(time.Second))
	}
}

// believed is the error of a measurement that was stopped or must not be
// believed.
func believed(partial, valid bool, reasons []string) error {
	switch {
	case partial:
		return errors.New("stopped before its end; what was measured is marked partial")
	case !valid:
		return invalidError{fmt.Errorf("the measurement is INVALID: %s", strings.Join(reasons, "; "))}
	}
	return nil
}
