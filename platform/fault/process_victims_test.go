package fault

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"syscall"
	"testing"

	"breakbank/platform/process"
	"breakbank/platform/supervise"
	"breakbank/platform/testrun"
)

// childIs makes the test binary be a process that does nothing.
const childIs = "BREAKBANK_TEST_CHILD"

// victimsMax is how many tests run at once, however few cores there are: they
// wait, for elections and for processes. More, and the members of their
// registries would keep each other waiting.
//
// Tests that restart something at its address are not parallel: a process that
// another test is about to start has a copy of the old socket until it executes
// its program.
const victimsMax = 4

func TestMain(m *testing.M) {
	if os.Getenv(childIs) != "" {
		end := make(chan os.Signal, 1)
		signal.Notify(end, syscall.SIGTERM)
		<-end
		return
	}
	testrun.AtOnce(victimsMax)
	m.Run()
}

// supervised are real processes, looked after as a platform's are.
type supervised struct{ *supervise.Supervisor }

// startProcesses starts processes by some names.
func startProcesses(t *testing.T, names ...string) supervised {
	t.Helper()
	s := supervised{supervise.New(supervise.Config{})}
	t.Cleanup(s.Close)
	for _, name := range names {
		err := s.Start(context.Background(), supervise.Part{Name: name, Command: func() *exec.Cmd {
			cmd := exec.Command(os.Args[0])
			cmd.Env = append(os.Environ(), childIs+"=one")
			return cmd
		}})
		if err != nil {
			t.Fatal(err)
		}
	}
	return s
}

func (s supervised) Processes() []string {
	if s.Supervisor == nil {
		return nil
	}
	var names []string
	for _, part := range s.List() {
		names = append(names, part.Name)
	}
	return names
}

func (s supervised) SignalProcess(ctx context.Context, name string, signal Signal) error {
	switch signal {
	case SignalKill:
		return s.Kill(ctx, name)
	case SignalStop:
		return s.Pause(ctx, name)
	case SignalContinue:
		return s.Resume(ctx, name)
	}
	return fmt.Errorf("no signal %q", signal)
}

func (s supervised) ProcessState(_ context.Context, name string) (ProcessState, error) {
	part, err := s.Status(name)
	return ProcessState{PID: part.PID, StartedAt: part.StartedAt, State: part.Process()}, err
}

// processesRun waits until all of them do.
func processesRun(ctx context.Context, v ProcessVictims) error {
	for _, name := range v.Processes() {
		err := until(ctx, testLimit, func() bool {
			s, err := v.ProcessState(ctx, name)
			return err == nil && s.State == process.Running
		})
		if err != nil {
			return fmt.Errorf("%s does not run: %w", name, err)
		}
	}
	return nil
}
