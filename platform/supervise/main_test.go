package supervise

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"syscall"
	"testing"
	"time"

	"go.uber.org/goleak"

	"breakbank/platform/process"
)

// childIs makes the test binary be a process of a part.
const childIs = "BREAKBANK_TEST_PART"

// testLimit bounds each wait of a test.
const testLimit = 10 * time.Second

// children are what the test binary can be.
var children = map[string]func(){
	"lasting": last,
	"four":    func() { os.Exit(4) },
	"shouting": func() {
		fmt.Fprintln(os.Stderr, "here I am")
		last()
	},
	// supervising has parts of its own, one of them paused.
	"supervising": func() {
		s := New(Config{})
		for _, name := range []string{"a", "b"} {
			if err := s.Start(context.Background(), part(name, "lasting")); err != nil {
				panic(err)
			}
		}
		if err := s.Pause(context.Background(), "b"); err != nil {
			panic(err)
		}
		fmt.Println("ready")
		last()
	},
}

func TestMain(m *testing.M) {
	if kind := os.Getenv(childIs); kind != "" {
		children[kind]()
		os.Exit(0)
	}
	goleak.VerifyTestMain(m)
}

func last() {
	end := make(chan os.Signal, 1)
	signal.Notify(end, syscall.SIGTERM)
	<-end
}

func command(kind string) *exec.Cmd {
	cmd := exec.Command(os.Args[0])
	// A race detector lingers for a second at an ordinary exit otherwise.
	cmd.Env = append(os.Environ(), childIs+"="+kind, "GORACE=atexit_sleep_ms=0")
	return cmd
}

func part(name, kind string) Part {
	return Part{Name: name, Command: func() *exec.Cmd { return command(kind) }}
}

// bed is a supervisor under test.
type bed struct {
	*Supervisor
	t   *testing.T
	ctx context.Context
}

func newBed(t *testing.T, c Config, parts ...Part) bed {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 3*testLimit)
	t.Cleanup(cancel)
	b := bed{New(c), t, ctx}
	t.Cleanup(b.Close)
	for _, p := range parts {
		b.must(b.Start(ctx, p))
	}
	return b
}

func (b bed) must(err error) {
	b.t.Helper()
	if err != nil {
		b.t.Fatal(err)
	}
}

func (b bed) of(name string) Status {
	b.t.Helper()
	s, err := b.Status(name)
	b.must(err)
	return s
}

// await looks at a part until it is as expected.
func (b bed) await(name, what string, as func(Status) bool) Status {
	b.t.Helper()
	again := time.NewTicker(5 * time.Millisecond)
	defer again.Stop()
	for limit := time.Now().Add(testLimit); ; <-again.C {
		s := b.of(name)
		if as(s) {
			return s
		}
		if time.Now().After(limit) {
			b.t.Fatalf("%s: not within %v; it is %+v", what, testLimit, s)
		}
	}
}

func (b bed) mustBeGone(pid int) {
	b.t.Helper()
	if s, err := process.Look(pid); err != nil || s.State != process.Gone {
		b.t.Errorf("process %d is %s, %v", pid, s.State, err)
	}
}

func running(s Status) bool { return s.State == Running }
