package workers

import (
	"fmt"
	"io"
	"os/exec"
	"sync"
	"syscall"
	"time"

	"breakbank/loadgen/subprocess"
)

// outputWait bounds how long an ended child is waited for because something that
// it started still holds its output.
const outputWait = time.Second

// Children are worker processes started on this machine. They cannot outlive
// this process, where the system can promise that (Linux); elsewhere they end
// when they lose its connection. Safe for concurrent use.
type Children struct {
	children []*child
	stop     sync.Once
}

// child is one of them.
type child struct {
	name string
	cmd  *exec.Cmd
	said subprocess.Tail
	done chan struct{} // closed when it has ended and that was told
}

// StartChildren starts n processes, each with the command that the factory
// gives for its number from 0, under a name. Each has a process group of its
// own, so that Ctrl-C on the terminal reaches this process only. exited is
// called once for each, with how it ended and the last line it wrote to
// standard error; nil for an exit status of 0. If one cannot be started, those
// that were are killed.
func StartChildren(n int, command func(i int) (name string, cmd *exec.Cmd), exited func(name string, err error)) (*Children, error) {
	all := &Children{}
	for i := range n {
		c := &child{done: make(chan struct{})}
		c.name, c.cmd = command(i)
		var stderr io.Writer = &c.said
		if c.cmd.Stderr != nil {
			stderr = io.MultiWriter(c.cmd.Stderr, &c.said)
		}
		c.cmd.Stderr, c.cmd.WaitDelay = stderr, outputWait
		subprocess.Bind(c.cmd, syscall.SIGKILL)
		if err := subprocess.Start(c.cmd, func(err error) { c.ended(err, exited) }); err != nil {
			all.Stop(0)
			return nil, fmt.Errorf("start worker %s: %w", c.name, err)
		}
		all.children = append(all.children, c)
	}
	return all, nil
}

// ended tells how a child ended.
func (c *child) ended(err error, exited func(string, error)) {
	if said := line(c.said.Last()); err != nil && said != "" {
		err = fmt.Errorf("%w: %s", err, said)
	}
	exited(c.name, err)
	close(c.done)
}

// PIDs are the process ids, by number.
func (c *Children) PIDs() []int {
	pids := make([]int, len(c.children))
	for i, child := range c.children {
		pids[i] = child.cmd.Process.Pid
	}
	return pids
}

// Stop waits until all have ended by themselves, for a time at most, and kills
// the rest with whatever they started. It may be called more than once.
func (c *Children) Stop(within time.Duration) {
	c.stop.Do(func() {
		patience := time.NewTimer(within)
		defer patience.Stop()
		for _, child := range c.children {
			select {
			case <-child.done:
				continue
			default:
			}
			select {
			case <-child.done:
			case <-patience.C:
				patience.Reset(0) // It is over for the others too.
				subprocess.KillGroup(child.cmd.Process)
			}
		}
	})
	for _, child := range c.children {
		<-child.done
	}
}
