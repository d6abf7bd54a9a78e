// Package supervise keeps the parts of a platform running, each as a process of
// its own, and kills and pauses them when asked.
//
// A part that ends is started again, at first after 100 ms and, as long as it
// does not last, after up to 2 s. All parts end with the supervisor's process,
// however that ends: see package process.
package supervise

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/exec"
	"slices"
	"strings"
	"sync"
	"time"
)

// Part is one thing to keep running.
type Part struct {
	// Name is unique, such as etcd-a.
	Name string
	// Command makes the command for a start. Its standard input must be left
	// alone; ended by itself or not, it is started again.
	Command func() *exec.Cmd
	// Stderr is where the process writes its standard error if the command says
	// nothing else; nil means this process's. One writer may serve several parts
	// if it is safe for concurrent use.
	Stderr io.Writer
}

// Config is what a supervisor needs.
type Config struct {
	// Presence is shown by all parts: the file of a process.Presence, or nil.
	Presence *os.File
	Log      *slog.Logger // nil: nowhere
}

// Supervisor keeps parts running. It is safe for concurrent use. Close ends it.
type Supervisor struct {
	config Config
	ending chan struct{}
	work   sync.WaitGroup

	mu      sync.Mutex
	closed  bool
	keepers map[string]*keeper
}

// New returns a supervisor of nothing yet.
func New(c Config) *Supervisor {
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	return &Supervisor{config: c, ending: make(chan struct{}), keepers: map[string]*keeper{}}
}

// Start takes on a part and returns when its process has started, or has not:
// then the part is not taken on.
func (s *Supervisor) Start(ctx context.Context, p Part) error {
	k, err := s.take(p)
	if err != nil {
		return err
	}
	if err := k.ask(ctx, start); err != nil {
		return errors.Join(err, s.Remove(context.WithoutCancel(ctx), p.Name))
	}
	return nil
}

// take makes a keeper for a part, which is down still.
func (s *Supervisor) take(p Part) (*keeper, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case s.closed:
		return nil, errClosed
	case s.keepers[p.Name] != nil:
		return nil, fmt.Errorf("part %s is there already", p.Name)
	}
	k := newKeeper(p, s.config, s.ending)
	s.keepers[p.Name] = k
	s.work.Go(k.run)
	return k, nil
}

// Remove kills a part's process and forgets the part.
func (s *Supervisor) Remove(ctx context.Context, name string) error {
	k, err := s.keeper(name)
	if err != nil {
		return err
	}
	if err := k.ask(ctx, leave); err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.keepers, name)
	return nil
}

// Kill ends a part's process by SIGKILL and returns when it is gone. The part is
// started again as after a crash. It is an error if it does not run.
func (s *Supervisor) Kill(ctx context.Context, name string) error { return s.ask(ctx, name, kill) }

// Restart kills a part's process, if it has one, and starts it again at once.
// When it returns without an error the new process runs.
func (s *Supervisor) Restart(ctx context.Context, name string) error {
	return s.ask(ctx, name, restart)
}

// Pause stops a part's process (SIGSTOP) and returns when it stands still. It is
// an error if it does not run. A paused process can be killed like any other.
func (s *Supervisor) Pause(ctx context.Context, name string) error { return s.ask(ctx, name, pause) }

// Resume lets a paused process go on (SIGCONT) and returns when it does; for one
// that runs there is nothing to do.
func (s *Supervisor) Resume(ctx context.Context, name string) error { return s.ask(ctx, name, resume) }

// StopPart kills a part's process, if it has one. The part stays down.
func (s *Supervisor) StopPart(ctx context.Context, name string) error { return s.ask(ctx, name, stop) }

// StartPart starts a part that is down; for one that runs there is nothing to
// do.
func (s *Supervisor) StartPart(ctx context.Context, name string) error {
	return s.ask(ctx, name, start)
}

// Status is one part as it stands.
func (s *Supervisor) Status(name string) (Status, error) {
	k, err := s.keeper(name)
	if err != nil {
		return Status{}, err
	}
	return k.status(), nil
}

// List is all parts as they stand, by name.
func (s *Supervisor) List() []Status {
	var all []Status
	for _, k := range s.all() {
		all = append(all, k.status())
	}
	return all
}

// Close kills all parts and returns when they are gone. It may be called more
// than once.
func (s *Supervisor) Close() {
	s.mu.Lock()
	if !s.closed {
		s.closed = true
		close(s.ending)
	}
	s.mu.Unlock()
	s.work.Wait()
}

func (s *Supervisor) ask(ctx context.Context, name string, w wish) error {
	k, err := s.keeper(name)
	if err != nil {
		return err
	}
	return k.ask(ctx, w)
}

func (s *Supervisor) keeper(name string) (*keeper, error) {
	s.mu.Lock()
	k := s.keepers[name]
	s.mu.Unlock()
	if k != nil {
		return k, nil
	}
	var names []string
	for _, k := range s.all() {
		names = append(names, k.part.Name)
	}
	return nil, fmt.Errorf("no part %q; they are %s", name, strings.Join(names, ", "))
}

func (s *Supervisor) all() []*keeper {
	s.mu.Lock()
	defer s.mu.Unlock()
	var all []*keeper
	for _, k := range s.keepers {
		all = append(all, k)
	}
	slices.SortFunc(all, func(a, b *keeper) int { return strings.Compare(a.part.Name, b.part.Name) })
	return all
}

// signalLimit bounds how long the kernel may take to stop a process or to let it
// go on.
const signalLimit = 5 * time.Second

var errClosed = errors.New("the supervisor is closed")
