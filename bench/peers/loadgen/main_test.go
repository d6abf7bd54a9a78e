package loadgen

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"strings"
	"syscall"
	"testing"
	"time"

	"go.uber.org/goleak"

	"breakbank/loadgen/nullserver"
	"breakbank/platform/testrun"
)

// asCommand makes the test binary the part of the command that runs start.
const asCommand = "BREAKBANK_TEST_LOADGEN_COMMAND"

// lightMax is how many tests that are parallel run at once, however few cores there
// are: they wait, for loads that ask little of the processor to be over.
const lightMax = 4

func TestMain(m *testing.M) {
	if os.Getenv(asCommand) != "" {
		if err := beCommand(os.Args[1:]); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	testrun.AtOnce(lightMax)
	goleak.VerifyTestMain(m)
}

// beCommand understands "peers null" and "peers offer" as breakbank does.
func beCommand(args []string) error {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	defer stop()
	if len(args) < 2 {
		return fmt.Errorf("no command in %q", args)
	}
	flags := flag.NewFlagSet(args[1], flag.ContinueOnError)
	switch strings.Join(args[:2], " ") {
	case "peers null":
		var n NullServer
		flags.StringVar(&n.Listen, "listen", "", "")
		flags.StringVar(&n.Tell, "tell", "", "")
		behaviour, since := flags.String("behaviour", "", ""), flags.Int64("since", 0, "")
		if err := flags.Parse(args[2:]); err != nil {
			return err
		}
		var err error
		if n.Behaviour, err = nullserver.Parse(*behaviour); err != nil {
			return err
		}
		n.Since = time.Unix(0, *since)
		return ServeNull(ctx, n)
	case "peers offer":
		var o Offer
		flags.StringVar(&o.Target, "target", "", "")
		flags.IntVar(&o.Connections, "connections", 1, "")
		flags.IntVar(&o.Closed, "closed", 0, "")
		flags.Float64Var(&o.RatePerS, "rate", 0, "")
		flags.BoolVar(&o.Even, "even", false, "")
		flags.IntVar(&o.MaxInFlight, "max-in-flight", 0, "")
		flags.DurationVar(&o.Duration, "duration", 0, "")
		flags.Uint64Var(&o.Seed, "seed", 1, "")
		out := flags.String("out", "", "")
		if err := flags.Parse(args[2:]); err != nil {
			return err
		}
		if err := o.Check(); err != nil {
			return err
		}
		told, err := o.Run(ctx)
		if err != nil {
			return err
		}
		return told.Write(*out)
	}
	return fmt.Errorf("no command %q", args)
}

func self(args ...string) *exec.Cmd {
	cmd := exec.Command(os.Args[0], args...)
	cmd.Env = append(os.Environ(), asCommand+"=1")
	return cmd
}

// needLinux skips where other processes cannot be watched.
func needLinux(t *testing.T) {
	t.Helper()
	if _, err := os.Stat("/proc/self/stat"); err != nil {
		t.Skip("SKIPPED: the processor time of other processes is read from Linux")
	}
}
