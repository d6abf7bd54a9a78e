package cluster

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"

	"breakbank/platform/process"
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

// Child is a platform in one process or more, seen from the process that
// started it.
type Child struct {
	// Admin is a connection to the control API.
	Admin *grpc.ClientConn

	process  *process.Process
	presence *process.Presence
	log      *os.File
	once     sync.Once
}

// Spawn starts "executable run all --topology FILE" and waits until it is
// ready. The child, and all that it starts, live no longer than this process,
// however that ends. progress may be nil.
func Spawn(ctx context.Context, executable string, t Topology, progress func(string)) (*Child, error) {
	file := filepath.Join(t.Dir, "topology.yaml")
	if err := t.Write(file); err != nil {
		return nil, err
	}
	log, err := os.Create(filepath.Join(t.LogDir, "platform.log"))
	if err != nil {
		return nil, fmt.Errorf("open the platform's log: %w", err)
	}
	c := &Child{log: log}
	if c.presence, err = process.NewPresence(); err != nil {
		return nil, errors.Join(fmt.Errorf("start the platform: %w", err), log.Close())
	}
	notices := newNotices()
	cmd := exec.Command(executable, "run", "all", "--topology", file)
	cmd.Stderr, cmd.Stdout = log, &process.Lines{Each: notices.take}
	c.process, err = process.Start(cmd, process.Options{Name: "the platform", Presence: c.presence.File(), Group: true, Tidies: true})
	if err != nil {
		return nil, c.startFailed(err)
	}
	admin, err := c.awaitReady(ctx, notices, progress)
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

// startFailed gives back what a child that does not run was given.
func (c *Child) startFailed(err error) error {
	c.presence.Close()
	return errors.Join(err, c.log.Close())
}

// Done is closed when the platform's first process has ended.
func (c *Child) Done() <-chan struct{} { return c.process.Done() }

// goneLimit bounds the wait for processes that have been killed.
const goneLimit = 10 * time.Second

// Kill ends every process of the platform at once, as a power cut would, and
// waits until they are gone. It may be called more than once.
func (c *Child) Kill() {
	c.once.Do(func() {
		if c.Admin != nil {
			c.Admin.Close()
		}
		c.process.KillGroup()
		limit := time.NewTimer(goneLimit)
		defer limit.Stop()
		select {
		case <-c.presence.Gone():
		case <-limit.C:
		}
		c.presence.Close()
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

// notices are what the child says while it comes up.
type notices struct {
	said  chan Notice
	ready bool // belongs to take
}

// noticesMax bounds those that nobody has read yet: they are a dozen in all.
const noticesMax = 64

func newNotices() *notices { return &notices{said: make(chan Notice, noticesMax)} }

// take passes on a line of the child's. What comes after it was ready, or from
// a chatty library, or after too much, is dropped.
func (n *notices) take(line string) {
	var said Notice
	if n.ready || json.Unmarshal([]byte(line), &said) != nil {
		return
	}
	n.ready = said.Admin != "" || said.Failed != ""
	select {
	case n.said <- said:
	default:
	}
}

// awaitReady waits for the address of the control API.
func (c *Child) awaitReady(ctx context.Context, n *notices, progress func(string)) (string, error) {
	ctx, cancel := context.WithTimeoutCause(ctx, startLimit,
		fmt.Errorf("the platform did not come up within %v", startLimit))
	defer cancel()
	for {
		select {
		case <-ctx.Done():
			return "", context.Cause(ctx)
		case said := <-n.said:
			switch {
			case said.Failed != "":
				return "", errors.New(said.Failed)
			case said.Admin != "":
				return said.Admin, nil
			case progress != nil:
				progress(said.Progress)
			}
		case <-c.process.Done():
			// What it said last may be read still.
			select {
			case said := <-n.said:
				if said.Failed != "" {
					return "", errors.New(said.Failed)
				}
			default:
				return "", errEndedEarly
			}
		}
	}
}
