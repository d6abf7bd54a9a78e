package main

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"os"
	"os/exec"
	"runtime/debug"

	"breakbank/bench/load"
	"breakbank/loadgen/workers"
)

// Environment variables of a load with workers. The token is what lets a worker
// in, so neither it nor a URL that holds it belongs on a command line.
const (
	envLoadToken = "BREAKBANK_LOAD_TOKEN"
	envLoadJoin  = "BREAKBANK_LOAD_JOIN"
)

// loadWorkerCommand takes part in a load.
type loadWorkerCommand struct {
	Join string `placeholder:"URL" help:"Where the coordinator listens: nats://HOST:PORT. The token that it says is taken from ${env_load_token}."`
	Name string `help:"The worker's name in the result. Default: the host's and a number."`
}

func (c *loadWorkerCommand) Run(ctx context.Context, told *loadCommand) error {
	if told.Rate != "" || told.Method != "" || len(told.Target) > 0 {
		return misused("a worker is told by its coordinator what to send: it takes --join and --name only")
	}
	join := c.Join
	if join == "" {
		join = os.Getenv(envLoadJoin)
	}
	if join == "" {
		return misused("say where the coordinator listens: --join nats://HOST:PORT")
	}
	at, err := url.Parse(join)
	if err != nil || at.Host == "" {
		return misused("--join: say nats://HOST:PORT")
	}
	if token := os.Getenv(envLoadToken); at.User == nil && token != "" {
		at.User = url.User(token)
	}
	debug.SetGCPercent(loadGCPercent)
	debug.SetMemoryLimit(loadMemory)
	return load.Work(ctx, at.String(), c.Name)
}

// workers reads the flags about workers; nil without any.
func (c *loadCommand) workers() (*load.Workers, error) {
	switch {
	case c.Workers < 0 || c.Remote < 0:
		return nil, errors.New("--workers and --remote: say 1 or more")
	case c.Workers == 0 && c.Remote == 0:
		if c.Listen != "" {
			return nil, errors.New("--listen is for workers: say how many with --remote, or --workers")
		}
		return nil, nil
	case c.Remote > 0 && c.Listen == "":
		return nil, errors.New("--remote: say where workers of other machines join, with --listen HOST:PORT")
	}
	w := &load.Workers{
		Here: c.Workers, Elsewhere: c.Remote, Listen: c.Listen, Wait: c.Wait, Token: os.Getenv(envLoadToken),
		Command: func(join, name string) *exec.Cmd {
			cmd := exec.Command(ownPath(), "load", "worker", "--name", name)
			cmd.Env = append(os.Environ(), envLoadJoin+"="+join)
			return cmd
		},
	}
	if w.Token == "" && c.Remote > 0 {
		return nil, fmt.Errorf("--remote: set %s to a secret here and for every worker, such as %s", envLoadToken, workers.NewToken())
	}
	return w, nil
}

// loadNullServerCommand is what a self-test is made against.
type loadNullServerCommand struct {
	Address string `arg:"" help:"Where it listens."`
}

func (c *loadNullServerCommand) Run(ctx context.Context) error { return load.ServeNull(ctx, c.Address) }
