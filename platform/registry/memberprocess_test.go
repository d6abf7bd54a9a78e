package registry

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"sync"
	"testing"
)

// memberEnv makes the test binary a process that runs one member. It holds the
// member's configuration.
const memberEnv = "BREAKBANK_TEST_MEMBER"

// memberOrder is a line that such a process reads; it answers each with a line,
// empty or an error.
type memberOrder struct{ InitialCluster, State string } // no state: stop

// runMemberProcess obeys orders until its standard input ends.
func runMemberProcess(config string, in io.Reader, out io.Writer) error {
	var cfg MemberConfig
	if err := json.Unmarshal([]byte(config), &cfg); err != nil {
		return err
	}
	m := NewMember(cfg)
	ctx := context.Background()
	for d := json.NewDecoder(in); ; {
		var o memberOrder
		if d.Decode(&o) != nil {
			return m.Stop(ctx)
		}
		var err error
		if o.State == "" {
			err = m.Stop(ctx)
		} else {
			err = m.Start(ctx, o.InitialCluster, o.State)
		}
		answer := ""
		if err != nil {
			answer = strings.ReplaceAll(err.Error(), "\n", " ")
		}
		fmt.Fprintln(out, answer)
	}
}

var errProcessGone = errors.New("its process is gone")

// memberProcess is a Host whose member runs in a process of its own.
type memberProcess struct {
	cfg MemberConfig

	mu      sync.Mutex // held while an order is carried out
	cmd     *exec.Cmd
	orders  *json.Encoder
	answers chan string // closed when the process is gone
	state   sync.Mutex  // guards running
	running bool
	// dies has the process die as soon as it has started a member.
	dies bool
}

func startMemberProcess(t *testing.T, cfg MemberConfig) *memberProcess {
	t.Helper()
	cfg.Log = nil
	p := &memberProcess{cfg: cfg}
	p.run(t)
	return p
}

// run starts the process, with no member in it.
func (p *memberProcess) run(t *testing.T) {
	t.Helper()
	config, err := json.Marshal(p.cfg)
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), os.Args[0])
	cmd.Env = append(os.Environ(), memberEnv+"="+string(config))
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	answers := make(chan string, 1)
	var reading sync.WaitGroup
	reading.Go(func() {
		defer close(answers)
		for lines := bufio.NewScanner(out); lines.Scan(); {
			answers <- lines.Text()
		}
		p.setRunning(false)
		_ = cmd.Wait() // It was killed, or told to end.
	})
	t.Cleanup(func() {
		_ = in.Close()
		reading.Wait()
	})
	p.mu.Lock()
	defer p.mu.Unlock()
	p.cmd, p.orders, p.answers = cmd, json.NewEncoder(in), answers
}

func (p *memberProcess) order(ctx context.Context, o memberOrder) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if err := p.orders.Encode(o); err != nil {
		return errProcessGone
	}
	select {
	case answer, ok := <-p.answers:
		switch {
		case !ok:
			return errProcessGone
		case answer != "":
			return errors.New(answer)
		}
	case <-ctx.Done():
		return ctx.Err()
	}
	p.setRunning(o.State != "")
	return nil
}

func (p *memberProcess) Seat() Seat { return p.cfg.Seat }

func (p *memberProcess) Start(ctx context.Context, initialCluster, state string) error {
	if err := p.order(ctx, memberOrder{initialCluster, state}); err != nil {
		return err
	}
	if p.dies {
		return p.cmd.Process.Kill()
	}
	return nil
}

func (p *memberProcess) Stop(ctx context.Context) error { return p.order(ctx, memberOrder{}) }

func (p *memberProcess) Running() bool {
	p.state.Lock()
	defer p.state.Unlock()
	return p.running
}

func (p *memberProcess) setRunning(running bool) {
	p.state.Lock()
	defer p.state.Unlock()
	p.running = running
}
