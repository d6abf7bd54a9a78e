package cluster

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
)

// startLimit bounds how long a platform may take to come up. Nine etcd
// members and 10,000 customers take a few seconds on two cores.
const startLimit = 90 * time.Second

// Notice is one line that the process of the roles writes on its standard
// output: progress while it comes up, then exactly one of ready and failed.
type Notice struct {
	Progress string `json:"progress,omitempty"`
	// Admin is the address of the control API, once everything is ready.
	Admin string `json:"admin,omitempty"`
	// Failed says in one line why the platform could not come up.
	Failed string `json:"failed,omitempty"`
}

// Child is a platform in a process of its own, seen from its parent.
type Child struct {
	// Admin is a connection to the control API.
	Admin *grpc.ClientConn

	cmd   *exec.Cmd
	stdin io.WriteCloser
	log   *os.File
	done  chan struct{}
	exit  error
	once  sync.Once
}

// Spawn starts "executable run all --topology FILE" and waits until it is
// ready. The child lives no longer than its parent: it ends when its standard
// input closes, however the parent went. progress may be nil.
func Spawn(ctx context.Context, executable string, t Topology, progress func(string)) (*Child, error) {
	file := filepath.Join(t.Dir, "topology.yaml")
	if err := t.Write(file); err != nil {
		return nil, err
	}
	log, err := os.Create(filepath.Join(t.LogDir, "platform.log"))
	if err != nil {
		return nil, fmt.Errorf("open the platform's log: %w", err)
	}
	c := &Child{
		cmd:  exec.Command(executable, "run", "all", "--topology", file),
		log:  log,
		done: make(chan struct{}),
	}
	detach(c.cmd)
	c.cmd.Stderr = log
	stdout, err := c.cmd.StdoutPipe()
	if err != nil {
		return nil, errors.Join(fmt.Errorf("start the platform: %w", err), log.Close())
	}
	if c.stdin, err = c.cmd.StdinPipe(); err != nil {
		return nil, errors.Join(fmt.Errorf("start the platform: %w", err), log.Close())
	}
	if err := c.cmd.Start(); err != nil {
		return nil, errors.Join(fmt.Errorf("start the platform: %w", err), log.Close())
	}

	notices := make(chan Notice, 16)
	go func() {
		defer close(c.done)
		readNotices(stdout, notices)
		c.exit = c.cmd.Wait()
	}()

	admin, err := awaitReady(ctx, notices, progress)
	if err != nil {
		c.Kill()
		if errors.Is(err, errEndedEarly) {
			err = fmt.Errorf("%w: %s", err, lastLine(log.Name()))
		}
		return nil, err
	}
	c.Admin, err = grpc.NewClient(admin, grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		c.Kill()
		return nil, fmt.Errorf("connect to the control API: %w", err)
	}
	return c, nil
}

// Done is closed when the process has ended.
func (c *Child) Done() <-chan struct{} { return c.done }

// Kill ends the process as a power cut would and waits until it is gone. It
// may be called more than once.
func (c *Child) Kill() {
	c.once.Do(func() {
		if c.Admin != nil {
			c.Admin.Close()
		}
		_ = c.cmd.Process.Kill() // An error means that it is gone already.
		<-c.done
		c.stdin.Close()
		c.log.Close()
	})
}

var errEndedEarly = errors.New("the platform ended before it was ready")

// lastLine is the last thing that a log says.
func lastLine(path string) string {
	text, err := os.ReadFile(path)
	if err != nil {
		return err.Error()
	}
	lines := strings.Split(strings.TrimSpace(string(text)), "\n")
	return lines[len(lines)-1]
}

// readNotices passes on the child's lines until its output ends.
func readNotices(stdout io.Reader, notices chan<- Notice) {
	defer close(notices)
	lines := bufio.NewScanner(stdout)
	ready := false
	for lines.Scan() {
		var n Notice
		if ready || json.Unmarshal(lines.Bytes(), &n) != nil {
			continue // Drained, so that a chatty library cannot block it.
		}
		notices <- n
		ready = n.Admin != "" || n.Failed != ""
	}
}

// awaitReady waits for the address of the control API.
func awaitReady(ctx context.Context, notices <-chan Notice, progress func(string)) (string, error) {
	ctx, cancel := context.WithTimeoutCause(ctx, startLimit,
		fmt.Errorf("the platform did not come up within %v", startLimit))
	defer cancel()
	// Whoever stops listening early leaves nobody blocked behind.
	defer func() {
		go func() {
			for range notices {
			}
		}()
	}()
	for {
		select {
		case <-ctx.Done():
			return "", context.Cause(ctx)
		case n, open := <-notices:
			switch {
			case !open:
				return "", errEndedEarly
			case n.Failed != "":
				return "", errors.New(n.Failed)
			case n.Admin != "":
				return n.Admin, nil
			case progress != nil:
				progress(n.Progress)
			}
		}
	}
}
