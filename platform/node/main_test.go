package node

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"
	"testing"

	"github.com/prometheus/client_golang/prometheus"

	"breakbank/platform/testrun"
)

// What the test binary is, when it is started again.
const (
	roleEnv = "BREAKBANK_NODE_TEST_ROLE"
	// roleInstance is an instance's process, roleNode the process of a node that
	// starts one.
	roleInstance = "instance"
	roleNode     = "node"
)

// machineRoomsMax is how many machine rooms there are at once, however few cores
// there are: their tests wait, for leases, probes and pauses. More, and their
// registries would keep each other waiting.
const machineRoomsMax = 4

func TestMain(m *testing.M) {
	switch role := os.Getenv(roleEnv); role {
	case "":
		os.Exit(runTests(m))
	case roleInstance:
		exit(runTestInstance())
	case roleNode:
		exit(runTestNode())
	default:
		exit(fmt.Errorf("no role %q", role))
	}
}

// runTests fails when goroutines are left.
//
// Tests that look for goroutines by themselves are not parallel: they would see
// those of others. Nor are those that look at an address as soon as it is closed:
// a process that another test is about to start has a copy of the socket until
// it executes its program. They run before those that are.
func runTests(m *testing.M) int {
	testrun.AtOnce(machineRoomsMax)
	return testrun.Leaving(m, testLimit)
}

func exit(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, "node.test:", err)
		os.Exit(1)
	}
	os.Exit(0)
}

// runTestInstance is the command that runs an instance.
func runTestInstance() error {
	if len(os.Args) != 3 || os.Args[1] != "--spec" {
		return fmt.Errorf("arguments %q", os.Args[1:])
	}
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	defer stop()
	metrics := prometheus.NewRegistry()
	up := prometheus.NewGauge(prometheus.GaugeOpts{Name: "bb_test_up", Help: "Is one."})
	up.Set(1)
	metrics.MustRegister(up)
	return RunInstance(ctx, os.Args[2], Child{
		Constructors: testServices, Gatherer: metrics, Stdout: os.Stdout, Stderr: os.Stderr,
	})
}

// testServices are what instances in tests can be.
var testServices = map[string]Constructor{
	"ledger": newGreeter, "edge": newGreeter, "calls": newCalls, "patient": newPatient, "quitter": newQuitter,
	"broken": func(context.Context, Env) (Instance, error) { return nil, errors.New("no money in the bank") },
}

// newGreeter makes an echo, but of a version that is broken.
func newGreeter(_ context.Context, env Env) (Instance, error) {
	if env.Version == "broken" {
		return nil, errors.New("this version is broken")
	}
	env.Log.Info("greets whoever connects")
	return &echo{env: env}, nil
}

// testSpawner starts the test binary again.
func testSpawner(t testing.TB) *Spawner {
	t.Helper()
	executable, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	return &Spawner{
		Command: []string{executable, "--spec"}, Env: append([]string{roleEnv + "=" + roleInstance}, SmallProcess...),
		Output: func(string) io.Writer { return io.Discard },
	}
}
