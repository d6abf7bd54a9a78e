// Package process starts processes that never outlive whoever started them.
//
// A child is bound to its parent twice. On Linux the kernel sends it SIGKILL
// when the parent dies, which ends a stopped process as well. Everywhere it has
// a lifeline: its standard input is a pipe whose other end only the parent
// holds, so that [Lifeline] tells the child of the parent's end. Where there is
// only the lifeline (macOS), a child that is stopped outlives its parent until
// it is continued.
//
// A [Presence] tells an ancestor when the last of its descendants is gone.
package process

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"syscall"
	"time"
)

// outputLimit bounds how long a child counts as running, after it has ended,
// because others still hold its output.
const outputLimit = time.Second

// Options say how a process is started, besides its command.
type Options struct {
	// Name is what errors call it; empty means the path of the command.
	Name string
	// Presence is shown by the child and by all that it starts through this
	// package: the file of a Presence, or nil. What this process itself shows
	// to its ancestors, its children show as well, without being told.
	Presence *os.File
	// Group puts the child at the head of a process group of its own, which its
	// descendants stay in unless they say otherwise. Ctrl-C on the terminal does
	// not reach it then.
	Group bool
	// Tidies says that the child has to tidy up when this process is gone, which
	// its lifeline tells it. The kernel does not kill it then: while it is
	// stopped, it outlives this process.
	Tidies bool
}

// Process is a child of this process. It is safe for concurrent use.
type Process struct {
	cmd       *exec.Cmd
	group     bool
	lifeline  *os.File
	startedAt time.Time
	birth     time.Time // as the kernel tells it, zero where it does not
	done      chan struct{}
	err       error // once done is closed
}

// Start starts a command whose standard input nobody has set, and looks after
// it until it has ended. The files in cmd.ExtraFiles keep their numbers, from 3
// on. A command whose output is no *os.File may go on for a second after its
// process has ended, if descendants hold that output.
func Start(cmd *exec.Cmd, o Options) (*Process, error) {
	if o.Name == "" {
		o.Name = cmd.Path
	}
	p, err := start(cmd, o)
	if err != nil {
		return nil, fmt.Errorf("start %s: %w", o.Name, err)
	}
	return p, nil
}

func start(cmd *exec.Cmd, o Options) (*Process, error) {
	if cmd.Stdin != nil {
		return nil, errors.New("its standard input is taken; it must be the lifeline")
	}
	theirs, ours, err := os.Pipe()
	if err != nil {
		return nil, fmt.Errorf("make its lifeline: %w", err)
	}
	defer theirs.Close()
	p := &Process{cmd: cmd, group: o.Group, lifeline: ours, done: make(chan struct{})}
	if err := p.prepare(theirs, o); err != nil {
		return nil, errors.Join(err, ours.Close())
	}
	p.startedAt = time.Now()
	if err := starts.start(cmd); err != nil {
		return nil, errors.Join(err, ours.Close())
	}
	// Nobody has waited for it yet, so that the number is still its own.
	if s, err := Look(cmd.Process.Pid); err == nil {
		p.birth = s.StartedAt
	}
	go p.wait()
	return p, nil
}

// prepare binds the command to this process.
func (p *Process) prepare(lifeline *os.File, o Options) error {
	pipe, err := identity(lifeline)
	if err != nil {
		return fmt.Errorf("make its lifeline: %w", err)
	}
	shown := inherited()
	if o.Presence != nil {
		shown = append(shown[:len(shown):len(shown)], o.Presence)
	}
	presence, err := pass(p.cmd, shown)
	if err != nil {
		return fmt.Errorf("pass on presence: %w", err)
	}
	p.cmd.Stdin = lifeline
	p.cmd.Env = append(p.cmd.Environ(), lifelineEnv+"="+pipe, presenceEnv+"="+presence)
	if p.cmd.SysProcAttr == nil {
		p.cmd.SysProcAttr = &syscall.SysProcAttr{}
	}
	p.cmd.SysProcAttr.Setpgid = p.cmd.SysProcAttr.Setpgid || o.Group
	if !o.Tidies {
		dieWithParent(p.cmd.SysProcAttr)
	}
	if p.cmd.WaitDelay == 0 {
		p.cmd.WaitDelay = outputLimit
	}
	return nil
}

func (p *Process) wait() {
	p.err = p.cmd.Wait()
	_ = p.lifeline.Close() // Nobody reads from it any more.
	starts.release()
	close(p.done)
}

// PID is the process's number.
func (p *Process) PID() int { return p.cmd.Process.Pid }

// StartedAt is when it was started, by the clock of this process.
func (p *Process) StartedAt() time.Time { return p.startedAt }

// Done is closed when the process has ended and its output has been read.
func (p *Process) Done() <-chan struct{} { return p.done }

// Err says how it ended, as exec.Cmd.Wait does: nil after exit status 0. Before
// Done is closed it is nil.
func (p *Process) Err() error {
	select {
	case <-p.done:
		return p.err
	default:
		return nil
	}
}

// Signal sends a signal; os.ErrProcessDone says that it has ended.
func (p *Process) Signal(s os.Signal) error { return p.cmd.Process.Signal(s) }

// Stop stops the process (SIGSTOP), which cannot prevent that. It does not wait
// until the kernel has done so; see State.
func (p *Process) Stop() error { return p.Signal(syscall.SIGSTOP) }

// Continue lets a stopped process go on (SIGCONT).
func (p *Process) Continue() error { return p.Signal(syscall.SIGCONT) }

// Kill ends the process as a power cut would (SIGKILL), stopped or not, and
// waits until it is gone. It may be called more than once.
func (p *Process) Kill() {
	_ = p.cmd.Process.Kill() // An error means that it is gone already.
	<-p.done
}

// KillGroup ends the process, started with Options.Group, together with all of
// its group, and waits until it itself is gone. A Presence tells when the others
// are. It may be called when the process has gone before the others; without a
// group it is Kill.
func (p *Process) KillGroup() {
	if p.group {
		_ = syscall.Kill(-p.PID(), syscall.SIGKILL) // An error means that all are gone already.
	}
	p.Kill()
}

// State is what the kernel says of it now.
func (p *Process) State() State {
	select {
	case <-p.done:
		return Gone
	default:
	}
	s, err := Look(p.PID())
	switch {
	case err != nil:
		return Running // It has not ended, and nothing more can be told.
	case !s.StartedAt.Equal(p.birth):
		return Gone // Its number is somebody else's already.
	}
	return s.State
}
