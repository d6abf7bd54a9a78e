package loadgen

import (
	"context"
	"fmt"
	"os/exec"
	"path/filepath"
	"strconv"
	"time"

	"breakbank/bench/peers/process"
	"breakbank/platform/ports"
)

const (
	// startLimit bounds how long a generator may take until its first request is
	// there. ghz, the slowest, needs a tenth of a second.
	startLimit = 15 * time.Second
	// endLimit bounds how much longer than its load a generator may take, answers
	// and report included.
	endLimit = 30 * time.Second
	// askEach is how often the server is asked how many requests it has had.
	askEach = 5 * time.Millisecond
	// quietFor is how long no more requests may come after the end of a
	// generator before the next one begins.
	quietFor = 4 * askEach
)

// bed is where generators are put to work: it starts servers and generators. One
// goroutine uses it.
type bed struct {
	// self makes a command that is this program with other arguments.
	self  func(args ...string) *exec.Cmd
	ports *ports.Allocator
	dir   string
	files files
	jobs  int
}

// server is a null server in a process of its own.
type server struct {
	child         *process.Child
	address, tell string
	since         time.Time
}

// serve starts a server of a behaviour, as nullserver.Parse reads it; the caller
// kills it.
func (b *bed) serve(ctx context.Context, behaviour string) (*server, error) {
	s := &server{since: time.Now()}
	var err error
	if s.address, err = b.ports.Address(); err != nil {
		return nil, err
	}
	if s.tell, err = b.ports.Address(); err != nil {
		return nil, err
	}
	args := []string{"peers", "null", "--listen", s.address, "--tell", s.tell}
	if behaviour != "" {
		args = append(args, "--behaviour", behaviour, "--since", strconv.FormatInt(s.since.UnixNano(), 10))
	}
	s.child, err = process.Start(ctx, "the null server", b.self(args...), s.address, s.tell)
	return s, err
}

// start puts a generator to a job. It returns when its first request has come;
// the caller kills it.
func (b *bed) start(ctx context.Context, g Generator, j *job, s *server) (*process.Child, error) {
	b.jobs++
	j.address, j.files = s.address, b.files
	j.out = filepath.Join(b.dir, fmt.Sprintf("%s-%d.out", g.Name, b.jobs))
	cmd, err := b.command(g, *j)
	if err != nil {
		return nil, err
	}
	before, err := callsSoFar(ctx, s.tell)
	if err != nil {
		return nil, err
	}
	child, err := process.Start(ctx, g.Name, cmd)
	if err != nil {
		return nil, err
	}
	if err := b.awaitCalls(ctx, child, s, before); err != nil {
		child.Kill()
		return nil, err
	}
	return child, nil
}

func (b *bed) command(g Generator, j job) (*exec.Cmd, error) {
	if g.program == "" {
		return b.self(g.args(j)...), nil
	}
	path, found := g.find()
	if !found {
		return nil, fmt.Errorf("%s is not installed", g.program)
	}
	return exec.Command(path, g.args(j)...), nil
}

// awaitCalls waits for a generator's first request. One that has ended by then
// may still have made its few.
func (b *bed) awaitCalls(ctx context.Context, child *process.Child, s *server, before int64) error {
	ctx, cancel := context.WithTimeoutCause(ctx, startLimit, fmt.Errorf("no request came within %v", startLimit))
	defer cancel()
	again := time.NewTicker(askEach)
	defer again.Stop()
	for {
		ended := child.Err()
		n, err := callsSoFar(ctx, s.tell)
		switch {
		case err == nil && n > before:
			return nil
		case ended != nil:
			return ended
		case err != nil:
			return err
		}
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-again.C:
		}
	}
}

// awaitQuiet waits until no more requests come: those of a generator that was
// killed are still on their way for a moment.
func (s *server) awaitQuiet(ctx context.Context) error {
	ctx, cancel := context.WithTimeoutCause(ctx, startLimit, fmt.Errorf("requests still come %v after the end of the generator", startLimit))
	defer cancel()
	again := time.NewTicker(askEach)
	defer again.Stop()
	last, since := int64(-1), time.Now()
	for {
		n, err := callsSoFar(ctx, s.tell)
		if err != nil {
			return err
		}
		if n != last {
			last, since = n, time.Now()
		} else if time.Since(since) >= quietFor {
			return nil
		}
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-again.C:
		}
	}
}

// pause waits; it says why it did not.
func pause(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}
