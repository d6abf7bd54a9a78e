package process

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os/exec"
	"syscall"
	"time"

	"breakbank/loadgen/subprocess"
)

const (
	// listenLimit bounds how long a child may take until it takes connections.
	// The slowest, Caddy, needs a third of a second on two busy cores.
	listenLimit = 15 * time.Second
	// listenEach is how often it is asked.
	listenEach = 10 * time.Millisecond
	// endLimit bounds how long an ended child is waited for because something
	// that it started still holds its output.
	endLimit = 5 * time.Second
)

// Child is a running program. Its methods may be called from any goroutine.
type Child struct {
	name string
	cmd  *exec.Cmd
	said subprocess.Tail
	done chan struct{}
	exit error // set before done is closed
}

// Start runs a command as a child with the name by which errors call it, and
// returns once it takes connections at every one of the addresses. What it
// prints is kept for error messages only. The child ends with this process,
// however that ends, where the system can promise it (Linux).
func Start(ctx context.Context, name string, cmd *exec.Cmd, addresses ...string) (*Child, error) {
	c := &Child{name: name, cmd: cmd, done: make(chan struct{})}
	cmd.Stdout, cmd.Stderr = &c.said, &c.said
	cmd.WaitDelay = endLimit
	// SIGTERM, since nginx must be able to tell its workers, which nobody else
	// would.
	subprocess.Bind(cmd, syscall.SIGTERM)
	if err := subprocess.Start(cmd, func(err error) { c.exit = err; close(c.done) }); err != nil {
		return nil, fmt.Errorf("start %s: %w", name, err)
	}
	for _, address := range addresses {
		if err := c.awaitListening(ctx, address); err != nil {
			c.Kill()
			return nil, fmt.Errorf("start %s: %w", name, err)
		}
	}
	return c, nil
}

// awaitListening dials until the child answers.
func (c *Child) awaitListening(ctx context.Context, address string) error {
	ctx, cancel := context.WithTimeoutCause(ctx, listenLimit, fmt.Errorf("it did not listen on %s within %v", address, listenLimit))
	defer cancel()
	again := time.NewTicker(listenEach)
	defer again.Stop()
	var dialer net.Dialer
	for {
		conn, err := dialer.DialContext(ctx, "tcp", address)
		if err == nil {
			conn.Close()
			return nil
		}
		select {
		case <-c.done:
			return c.ended()
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-again.C:
		}
	}
}

// Err says how the child ended, nil while it runs.
func (c *Child) Err() error {
	select {
	case <-c.done:
		return fmt.Errorf("%s: %w", c.name, c.ended())
	default:
		return nil
	}
}

// ended says how the child ended and what it said last.
func (c *Child) ended() error {
	how := c.exit
	if how == nil {
		how = errors.New("exit status 0")
	}
	if said := c.said.Last(); said != "" {
		return fmt.Errorf("it ended (%w): %s", how, said)
	}
	return fmt.Errorf("it ended (%w)", how)
}

// Wait waits until the child has ended by itself, as it should with exit status
// 0. When ctx ends before, it says why, and the child goes on.
func (c *Child) Wait(ctx context.Context) error {
	select {
	case <-c.done:
	case <-ctx.Done():
		return fmt.Errorf("wait for %s: %w", c.name, context.Cause(ctx))
	}
	if c.exit != nil {
		return fmt.Errorf("%s: %w", c.name, c.ended())
	}
	return nil
}

// Used is the processor time, user and system, that the child itself used in its
// life. It is 0 until Wait or Kill has returned.
func (c *Child) Used() time.Duration {
	select {
	case <-c.done:
		return c.cmd.ProcessState.UserTime() + c.cmd.ProcessState.SystemTime()
	default:
		return 0
	}
}

// PID is the child's process id, and that of its process group.
func (c *Child) PID() int { return c.cmd.Process.Pid }

// Kill ends the child and all it started, and waits until the child is gone.
// There is nothing that it would have to save. It may be called more than once.
func (c *Child) Kill() {
	select {
	case <-c.done: // Its id may belong to somebody else by now.
	default:
		subprocess.KillGroup(c.cmd.Process)
	}
	<-c.done
}
