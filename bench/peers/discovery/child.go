package discovery

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os/exec"
	"time"

	"breakbank/loadgen/subprocess"
)

// endLimit is how long the child may take to end once its orders have ended; then
// it is killed.
const endLimit = 15 * time.Second

// child is the process with the registry, as the parent sees it.
type child struct {
	cmd     *exec.Cmd
	orders  io.WriteCloser
	encode  *json.Encoder
	answers chan answer // closed when the child says no more
	said    subprocess.Tail
	answer  // the first
}

// startChild starts the child and waits until it serves.
func startChild(ctx context.Context, cmd *exec.Cmd) (*child, error) {
	c := &child{cmd: cmd, answers: make(chan answer)}
	cmd.Stderr = &c.said
	var err error
	if c.orders, err = cmd.StdinPipe(); err != nil {
		return nil, fmt.Errorf("start the registry: %w", err)
	}
	c.encode = json.NewEncoder(c.orders)
	out, err := cmd.StdoutPipe()
	if err != nil {
		return nil, fmt.Errorf("start the registry: %w", err)
	}
	if err := cmd.Start(); err != nil {
		return nil, fmt.Errorf("start the registry: %w", err)
	}
	go func() { // ends with the child, which close waits for
		defer close(c.answers)
		for d := json.NewDecoder(out); ; {
			var a answer
			if d.Decode(&a) != nil {
				return
			}
			c.answers <- a
		}
	}()
	if c.answer, err = c.next(ctx); err != nil {
		return nil, errors.Join(fmt.Errorf("start the registry: %w", err), c.close())
	}
	return c, nil
}

// do gives an order and waits for the answer.
func (c *child) do(ctx context.Context, o order) (answer, error) {
	if err := c.encode.Encode(o); err != nil {
		return answer{}, fmt.Errorf("order the registry: %w%s", err, c.quoted())
	}
	return c.next(ctx)
}

func (c *child) next(ctx context.Context) (answer, error) {
	select {
	case a, more := <-c.answers:
		switch {
		case !more:
			return a, fmt.Errorf("the process with the registry has ended%s", c.quoted())
		case a.Error != "":
			return a, fmt.Errorf("the registry: %s", a.Error)
		}
		return a, nil
	case <-ctx.Done():
		return answer{}, context.Cause(ctx)
	}
}

// close ends the child and waits for it.
func (c *child) close() error {
	_ = c.orders.Close() // fails only if the child is gone
	kill := time.AfterFunc(endLimit, func() { _ = c.cmd.Process.Kill() })
	defer kill.Stop()
	for range c.answers { //nolint:revive // what was on its way when the run was stopped
	}
	if err := c.cmd.Wait(); err != nil {
		return fmt.Errorf("the process with the registry: %w%s", err, c.quoted())
	}
	return nil
}

// quoted is what the child has said, as the end of an error.
func (c *child) quoted() string {
	if text := c.said.Text(); text != "" {
		return ": " + text
	}
	return ""
}
