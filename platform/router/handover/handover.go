// Package handover replaces a process by its successor without closing the
// sockets that it listens on, so that nobody is refused meanwhile.
//
//	predecessor                         successor
//	serves
//	Succeed: starts it  ──────────────> Inherit: takes the sockets over
//	  │  with its sockets               Listen: gates that stay shut
//	  │  and one end of a pipe          … until it can serve
//	  │  <────── "ready" ────────────── Ready: opens them
//	  shuts its gates, drains, ends     serves
//
// Both hold the same sockets, not copies: a connection that waits in the
// kernel's queue when the one stops accepting is accepted by the other. With
// SO_REUSEPORT each would have a queue of its own, and what waits in one is
// reset when that is closed.
package handover

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"strconv"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

const (
	// variable tells a process what it inherits: NAME=fd,NAME=fd…, the pipe for
	// "ready" among them.
	variable = "BREAKBANK_HANDOVER"
	// pipeName is the pipe's name in it; no socket may have it.
	pipeName = "ready-pipe"
	// firstFD is the first after standard input, output and error.
	firstFD = 3
	// ready is what a successor writes.
	ready = "ready\n"
	// settle is how long connections that were accepted just before the gates
	// were shut have to get as far as a first frame, so that draining finds
	// them: until then a server turns a connection away by closing it, which a
	// client takes for a failure. It takes microseconds on a machine that is not
	// overloaded.
	settle = 200 * time.Millisecond
)

// ErrNotReady is what Succeed returns for a successor that ended, or was
// killed, before it was ready. The predecessor serves on.
var ErrNotReady = errors.New("the successor did not become ready")

// Sockets are what a process listens on. They are not safe for concurrent use.
type Sockets struct {
	inherited map[string]*os.File
	pipe      *os.File // to the predecessor; nil: there is none
	names     []string
	gates     []*Gate
}

// Inherit takes over what a predecessor handed to this process, if there was
// one, and keeps the children of this process from thinking that it is theirs.
// It is to be called once, before anything else opens files.
func Inherit() (*Sockets, error) {
	s := &Sockets{inherited: map[string]*os.File{}}
	written := os.Getenv(variable)
	if written == "" {
		return s, nil
	}
	if err := os.Unsetenv(variable); err != nil {
		return nil, fmt.Errorf("take over sockets: %w", err)
	}
	for _, field := range strings.Split(written, ",") {
		name, number, _ := strings.Cut(field, "=")
		fd, err := strconv.Atoi(number)
		if err != nil || fd < firstFD {
			return nil, fmt.Errorf("take over sockets: %s is %q", variable, written)
		}
		syscall.CloseOnExec(fd)
		file := os.NewFile(uintptr(fd), name)
		if name == pipeName {
			s.pipe = file
		} else {
			s.inherited[name] = file
		}
	}
	return s, nil
}

// Succeeding says whether there is a predecessor that waits for Ready.
func (s *Sockets) Succeeding() bool { return s.pipe != nil }

// Listen returns the socket of that name: the predecessor's, whatever its
// address, or a new one. Its gate is open unless there is a predecessor.
func (s *Sockets) Listen(name, address string) (*Gate, error) {
	listener, err := s.listen(name, address)
	if err != nil {
		return nil, fmt.Errorf("listen on %s: %w", address, err)
	}
	gate := newGate(listener)
	if !s.Succeeding() {
		gate.open()
	}
	s.names, s.gates = append(s.names, name), append(s.gates, gate)
	return gate, nil
}

func (s *Sockets) listen(name, address string) (*net.TCPListener, error) {
	file, ok := s.inherited[name]
	if !ok {
		l, err := net.Listen("tcp", address)
		if err != nil {
			return nil, err
		}
		return l.(*net.TCPListener), nil
	}
	delete(s.inherited, name)
	defer file.Close() // the listener has a descriptor of its own
	l, err := net.FileListener(file)
	if err != nil {
		return nil, fmt.Errorf("take over the socket %s: %w", name, err)
	}
	tcp, ok := l.(*net.TCPListener)
	if !ok {
		return nil, errors.Join(fmt.Errorf("take over the socket %s: it is a %T", name, l), l.Close())
	}
	return tcp, nil
}

// Ready opens the gates and tells the predecessor, which from then on accepts
// nothing any more. Without one it tells systemd, if that is there.
func (s *Sockets) Ready() error {
	if !s.Succeeding() {
		return notify("READY=1")
	}
	for _, g := range s.gates {
		g.open()
	}
	_, err := io.WriteString(s.pipe, ready)
	err = errors.Join(err, s.pipe.Close())
	s.pipe = nil
	if err != nil {
		return fmt.Errorf("tell the predecessor that it can go: %w", err)
	}
	return nil
}

// Shut lets no more connections in, and returns when those that were let in
// last have had the time to begin. Draining comes after it.
func (s *Sockets) Shut(ctx context.Context) {
	for _, g := range s.gates {
		g.shut()
	}
	timer := time.NewTimer(settle)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
}

// Succeed starts this program anew with the same arguments and returns its
// process id once it is ready. If it is not when ctx ends, it is killed, and the
// predecessor serves on.
func (s *Sockets) Succeed(ctx context.Context) (pid int, err error) {
	program, err := os.Executable()
	if err != nil {
		return 0, fmt.Errorf("start a successor: %w", err)
	}
	from, to, err := os.Pipe()
	if err != nil {
		return 0, fmt.Errorf("start a successor: %w", err)
	}
	defer from.Close()
	process, err := s.fork(program, to)
	to.Close() // Only the successor holds it now: its end is the end of the pipe.
	if err != nil {
		return 0, fmt.Errorf("start a successor: %w", err)
	}
	heard := make(chan string, 1)
	go func() {
		defer close(heard)
		said, _ := io.ReadAll(io.LimitReader(from, int64(len(ready)))) // what is not "ready" is not ready
		heard <- string(said)
	}()
	select {
	case said := <-heard:
		if said == ready {
			// It outlives this process; nobody here waits for its end.
			pid := process.Pid
			_ = process.Release() // it only forgets
			return pid, nil
		}
		err = ErrNotReady
	case <-ctx.Done():
		err = fmt.Errorf("%w: %w", ErrNotReady, context.Cause(ctx))
	}
	_ = process.Kill() // it has ended if this fails
	state, waitErr := process.Wait()
	from.Close() // ends the reading, if anything else holds the other end
	<-heard
	if waitErr != nil {
		return 0, errors.Join(err, fmt.Errorf("wait for the successor: %w", waitErr))
	}
	return 0, fmt.Errorf("%w (%s)", err, state)
}

// fork starts the program with the gates' sockets and the pipe. It passes bare
// descriptors: an os.File would be made blocking on the way, for both
// processes, and a gate could no longer be shut.
func (s *Sockets) fork(program string, pipe *os.File) (*os.Process, error) {
	var described []string
	files := []uintptr{0, 1, 2}
	defer func() {
		for _, fd := range files[firstFD:] {
			_ = unix.Close(int(fd)) // duplicates: nothing is lost with them
		}
	}()
	pass := func(name string, c syscall.Conn) error {
		fd, err := duplicate(c)
		if err != nil {
			return fmt.Errorf("pass on %s: %w", name, err)
		}
		described = append(described, fmt.Sprintf("%s=%d", name, len(files)))
		files = append(files, fd)
		return nil
	}
	if err := pass(pipeName, pipe); err != nil {
		return nil, err
	}
	for i, g := range s.gates {
		if err := pass(s.names[i], g.listener); err != nil {
			return nil, err
		}
	}
	pid, err := syscall.ForkExec(program, os.Args, &syscall.ProcAttr{
		Env:   append(os.Environ(), variable+"="+strings.Join(described, ",")),
		Files: files,
	})
	if err != nil {
		return nil, fmt.Errorf("run %s: %w", program, err)
	}
	return os.FindProcess(pid)
}

// duplicate returns another descriptor of the same thing, which no child
// inherits unasked.
func duplicate(c syscall.Conn) (uintptr, error) {
	raw, err := c.SyscallConn()
	if err != nil {
		return 0, err
	}
	var (
		copied int
		failed error
	)
	err = raw.Control(func(fd uintptr) {
		copied, failed = unix.FcntlInt(fd, unix.F_DUPFD_CLOEXEC, 0)
	})
	return uintptr(copied), errors.Join(err, failed)
}
