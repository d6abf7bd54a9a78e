package node

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"slices"

	"breakbank/platform/process"
)

// SmallProcess is an environment in which thirty instances share a machine of
// two cores: few threads each, and a heap that may double between collections,
// up to where it is collected all the same. Their live heaps are so small that a
// GOGC of 400 saves no CPU that can be measured, and takes twice the memory.
var SmallProcess = []string{"GOMAXPROCS=2", "GOGC=100", "GOMEMLIMIT=128MiB"}

// Spawner makes instances that are processes of their own. They end with this
// process, however it ends. Its methods are safe for concurrent use.
type Spawner struct {
	// Command is a program that runs RunInstance, with its arguments, but for the
	// last, which is added: the path of the specification.
	Command []string
	// Env is added to this process's environment, as NAME=value; see
	// SmallProcess.
	Env []string
	// Output is where the instances of a service write their logs, a JSON object
	// a line, and whatever a crash says. A file is passed on as it is. Nil: this
	// process's standard error.
	Output func(service string) io.Writer
}

// New is a Constructor. env.Listener must be a TCP listener, which is the
// child's then; env.Dialer and env.Log are not used, since the child makes its
// own.
func (s *Spawner) New(ctx context.Context, env Env) (Instance, error) {
	if len(s.Command) == 0 {
		return nil, errors.New("no command is set that runs an instance")
	}
	socket, shared, err := fileToPass(env.Listener)
	if err != nil {
		return nil, err
	}
	defer socket.Close()
	path, err := specOf(env, shared).write()
	if err != nil {
		return nil, err
	}
	conn, control, err := controlPair()
	if err != nil {
		return nil, err
	}
	defer control.Close()

	cmd := exec.Command(s.Command[0], append(slices.Clone(s.Command[1:]), path)...)
	cmd.Env = append(os.Environ(), s.Env...)
	cmd.ExtraFiles = []*os.File{socket, control} // listenerFD and controlFD
	notices := make(chan childNotice, 1)
	cmd.Stdout = &process.Lines{Each: func(line string) {
		select {
		case notices <- noticeIn(line):
		default: // The first is what counts.
		}
	}}
	cmd.Stderr = os.Stderr
	if s.Output != nil {
		cmd.Stderr = s.Output(env.Service)
	}
	child, err := process.Start(cmd, process.Options{Name: env.Instance})
	if err != nil {
		return nil, errors.Join(err, conn.Close())
	}
	made := newSpawned(child, conn)
	err = awaitReady(ctx, notices, child)
	if err == nil {
		// Here rather than with the first probe a second from now: it makes the
		// connection, for which HTTP/2 does not wait long on the other side.
		err = made.probe(ctx)
	}
	if err != nil {
		made.Kill()
		return nil, errors.Join(err, made.Serve())
	}
	_ = env.Listener.Close() // The child has its own hold on the socket.
	return made, nil
}

// childNotice is the one line that a child writes on its standard output: that
// it is ready, or why it cannot be. It has exactly one of its fields.
type childNotice struct {
	Ready  bool   `json:"ready,omitempty"`
	Failed string `json:"failed,omitempty"`
}

func noticeIn(line string) childNotice {
	var said childNotice
	if err := json.Unmarshal([]byte(line), &said); err != nil {
		return childNotice{Failed: fmt.Sprintf("it said %.80q instead of being ready", line)}
	}
	return said
}

// awaitReady waits until the child is ready; an error says why it is not.
func awaitReady(ctx context.Context, notices <-chan childNotice, child *process.Process) error {
	var said childNotice
	select {
	case said = <-notices:
	case <-child.Done():
		select {
		case said = <-notices: // It has said why.
		default:
			return fmt.Errorf("its process ended before it was ready: %w", endOf(child))
		}
	case <-ctx.Done():
		return fmt.Errorf("its process was not ready in time: %w", context.Cause(ctx))
	}
	if !said.Ready {
		return errors.New(said.Failed)
	}
	return nil
}

// endOf says how a process that has ended did.
func endOf(child *process.Process) error {
	if err := child.Err(); err != nil {
		return err
	}
	return errors.New("exit status 0")
}
