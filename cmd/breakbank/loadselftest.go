package main

import (
	"context"
	"errors"
	"fmt"
	"os/exec"
	"strings"

	"breakbank/bench/load"
	"breakbank/bench/load/live"
)

// checkSelfTest refuses what a self-test would not heed.
func (c *loadCommand) checkSelfTest() error {
	if !c.SelfTest {
		return nil
	}
	for _, flag := range []struct {
		name  string
		given bool
		why   string
	}{
		{"--closed", c.Closed > 0, "a closed loop has no rate that it could be made at"},
		{"--workers", c.Workers > 0, "it is about this one process"},
		{"--remote", c.Remote > 0, "it is about this machine"},
		{"--fail-if", len(c.FailIf) > 0, "it fails if its result is INVALID; thresholds are for your target"},
		{"--objective", c.Objective > 0, "its server does nothing; an objective is for your target"},
	} {
		if flag.given {
			return fmt.Errorf("--self-test takes no %s: %s", flag.name, flag.why)
		}
	}
	return nil
}

func (c *loadCommand) selfTest(ctx context.Context, t terminal, s load.Spec, o load.Options) error {
	view := live.New(t.err, "self-test of "+load.Heading(s))
	o.Observer = view
	test, err := load.RunSelfTest(ctx, s, load.SelfTestOptions{Options: o, Server: func(address string) *exec.Cmd {
		return exec.Command(ownPath(), "load", "null-server", address)
	}})
	view.Close()
	if err != nil {
		return misuse(err)
	}
	if c.JSON {
		err = load.WriteJSON(t.out, test)
	} else {
		fmt.Fprintf(t.out, "%s", load.SelfTestText(test))
	}
	err = errors.Join(err, c.write(t, test.Result))
	if err == nil && !test.Able {
		err = invalidError{fmt.Errorf("this machine cannot offer the load at %g times its rate: %s", test.Times, strings.Join(test.Result.InvalidReasons, "; "))}
	}
	return err
}
