package node

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"syscall"

	"breakbank/platform/process"
)

// spawned is an instance in a process of its own.
type spawned struct {
	process *process.Process
	control *http.Client
	conn    net.Conn
	ending  atomic.Bool // somebody asked for its end

	life   context.Context // ends with the process
	cancel context.CancelFunc
	work   sync.WaitGroup

	mu    sync.Mutex
	asked *question // the probe that has not been answered, if any
}

// question is a probe under way.
type question struct {
	answered chan struct{}
	err      error // valid once answered
}

var _ Instance = (*spawned)(nil)

func newSpawned(child *process.Process, conn net.Conn) *spawned {
	s := &spawned{process: child, control: controlClient(conn), conn: conn}
	s.life, s.cancel = context.WithCancel(context.Background())
	return s
}

// Serve waits for the process to end.
func (s *spawned) Serve() error {
	<-s.process.Done()
	s.mu.Lock()
	s.cancel()
	s.mu.Unlock()
	s.control.CloseIdleConnections()
	_ = s.conn.Close()
	s.work.Wait()
	if s.ending.Load() {
		return nil
	}
	return fmt.Errorf("its process ended: %w", endOf(s.process))
}

// Drain asks the process to end (SIGTERM), as RunInstance does, and waits for
// that. When ctx ends first the process is killed.
func (s *spawned) Drain(ctx context.Context) error {
	s.ending.Store(true)
	if err := s.process.Signal(syscall.SIGTERM); err != nil {
		s.Kill()
	}
	select {
	case <-s.process.Done():
		if err := s.process.Err(); err != nil {
			return fmt.Errorf("drain: its process ended: %w", err)
		}
		return nil
	case <-ctx.Done():
		s.Kill()
		return fmt.Errorf("drain: its process did not end in time and was killed: %w", ctx.Err())
	}
}

// Kill ends the process at once (SIGKILL), also while it is stopped, and waits
// until it is gone.
func (s *spawned) Kill() {
	s.ending.Store(true)
	s.process.Kill()
}

// state is what the kernel says of the process now.
func (s *spawned) state() process.State {
	select {
	case <-s.process.Done():
		return process.Gone
	default:
	}
	if s.process.Stopped() {
		return process.Stopped
	}
	return process.Running
}

// signal stops or continues the process.
func (s *spawned) signal(what Signal) error {
	switch what {
	case SignalStop:
		return s.process.Stop()
	case SignalContinue:
		return s.process.Continue()
	}
	return fmt.Errorf("%v is not for a process", what)
}

var errUnanswered = errors.New("its process does not answer")

// probe asks the process whether it is well and waits for the answer until ctx
// ends. A probe that was not answered is waited for again by the next, so that
// a process that is stopped for long is asked once.
func (s *spawned) probe(ctx context.Context) error {
	q := s.ask()
	select {
	case <-q.answered:
		return q.err
	case <-ctx.Done():
		return errUnanswered
	}
}

func (s *spawned) ask() *question {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.asked != nil {
		return s.asked
	}
	q := &question{answered: make(chan struct{})}
	if s.life.Err() != nil {
		q.err = errControlLost
		close(q.answered)
		return q
	}
	s.asked = q
	s.work.Go(func() {
		q.err = s.get(s.life, healthPath, nil)
		s.mu.Lock()
		s.asked = nil
		s.mu.Unlock()
		close(q.answered)
	})
	return q
}

// silent says whether the process is known not to answer at the moment.
func (s *spawned) silent() bool {
	s.mu.Lock()
	asked := s.asked != nil
	s.mu.Unlock()
	return asked || s.state() == process.Stopped
}

// answerBytesMax bounds what a child may answer.
const answerBytesMax = 4 << 20

// get asks the process over the control connection. read, if there is one, is
// given the answer; otherwise it is discarded.
func (s *spawned) get(ctx context.Context, path string, read func(http.Header, io.Reader) error) error {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://instance"+path, nil)
	if err != nil {
		return err
	}
	answer, err := s.control.Do(request)
	if err != nil {
		return err
	}
	defer answer.Body.Close()
	body := io.LimitReader(answer.Body, answerBytesMax)
	if answer.StatusCode != http.StatusOK {
		return fmt.Errorf("its process answers %s", answer.Status)
	}
	if read != nil {
		return read(answer.Header, body)
	}
	_, err = io.Copy(io.Discard, body)
	return err
}
