package load_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"syscall"
	"testing"

	"go.uber.org/goleak"

	"breakbank/bench/load"
)

// What the test binary is started again as, by its environment.
const (
	asWorker     = "BREAKBANK_TEST_WORKER_JOIN"
	asWorkerName = "BREAKBANK_TEST_WORKER_NAME"
	asNullServer = "BREAKBANK_TEST_NULL_SERVER"
)

func TestMain(m *testing.M) {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	var err error
	switch {
	case os.Getenv(asWorker) != "":
		err = load.Work(ctx, os.Getenv(asWorker), os.Getenv(asWorkerName))
	case os.Getenv(asNullServer) != "":
		err = load.ServeNull(ctx, os.Getenv(asNullServer))
	default:
		stop()
		goleak.VerifyTestMain(m)
		return
	}
	stop()
	if err != nil && !errors.Is(err, context.Canceled) {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	os.Exit(0)
}

// again is this binary as something else.
func again(environment ...string) *exec.Cmd {
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), environment...)
	return cmd
}
