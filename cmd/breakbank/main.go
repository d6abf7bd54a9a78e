// Command breakbank runs a replica bank that is built to be broken, breaks
// its service discovery on purpose, and measures what its customers feel.
//
// This package holds flags and wiring only, a file a command.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"regexp"
	"slices"
	"strings"
	"syscall"

	"github.com/alecthomas/kong"

	"breakbank/platform/router"
)

// Exit codes. A command exits with exitOK only when what was asked for
// happened.
const (
	exitOK     = 0
	exitFailed = 1
	exitUsage  = 2
	// exitInvalid: it happened, and the measurement of it must not be trusted.
	exitInvalid = 3
)

// cli is the table of commands.
type cli struct {
	Replay   replayCommand   `cmd:"" help:"Play a scenario under load, print what the customers felt, write a report."`
	Report   reportCommand   `cmd:"" help:"Make report.html again from the results in a directory."`
	Up       upCommand       `cmd:"" help:"Bring the platform up and stay; print addresses."`
	Router   routerCommand   `cmd:"" help:"Run the router alone, in front of any gRPC services."`
	Load     loadCommand     `cmd:"" help:"Offer a load to any gRPC service, or to the bank, and measure it."`
	Capacity capacityCommand `cmd:"" help:"Find the highest rate that meets an objective, with its interval, and draw the throughput–latency curve."`
	Peers    peersCommand    `cmd:"" help:"Measure parts of breakbank next to what you would pick instead."`
	Bench    benchCommand    `cmd:"" help:"Play a suite, and compare."`
	Ctl      ctlCommand      `cmd:"" help:"Do by hand what a scenario does: get, deploy, rollback, scale, delete, restart, fallback, fault."`
	Topology topologyCommand `cmd:"" help:"Print or check a topology file."`
	Run      runCommand      `cmd:"" help:"Run single roles of a topology in this process, for compose and other orchestrators."`
	Context  contextCommand  `cmd:"" help:"Name the platforms that commands talk to, and choose one."`
	Compare  compareCommand  `cmd:"" help:"Hold two replays against each other: the same picture, phase by phase?"`
	Doctor   doctorCommand   `cmd:"" help:"Say what this machine has and lacks for runs that can be trusted."`
	checks   `embed:""`
	Version  versionCommand `cmd:"" help:"Say what this program is: version, commit, Go."`
}

// checks is what the parts' containers check themselves with.
type checks struct {
	Health healthCommand `cmd:"" help:"Ask a process whether it is well; exit 0 if it answers 200."`
}

// commands are those that arguments may mean. Containers check themselves a
// hundred times an hour each: a table of all commands would cost them more than
// the check.
func commands(args []string) any {
	if len(args) > 0 && args[0] == "health" {
		return &checks{}
	}
	return &cli{}
}

// usageError is bad input: said in one line, before anything was started.
type usageError struct{ err error }

func (e usageError) Error() string { return e.err.Error() }
func (e usageError) Unwrap() error { return e.err }

// misused wraps an error as bad input.
func misused(format string, args ...any) error { return usageError{fmt.Errorf(format, args...)} }

func main() {
	os.Exit(run(os.Args[1:], os.Stdout, os.Stderr))
}

// run parses the arguments, runs the command, and answers with an exit code.
func run(args []string, stdout, stderr io.Writer) int {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()

	// kong ends the process after --help; a panic carries its code up here.
	type exited struct{ code int }
	code, over := 0, false
	command := func() (err error) {
		defer func() {
			switch r := recover().(type) {
			case nil:
			case exited:
				code, over = r.code, true
			default:
				panic(r)
			}
		}()
		parser, err := kong.New(commands(args),
			kong.Name("breakbank"),
			kong.Description("A replica bank, built to be broken: replays the outage of 27 October 2017 and measures what would have saved it."),
			kong.Writers(stdout, stderr),
			kong.Vars{"admin_address": defaultAdminAddress, "stores": defaultStores, "dataplanes": strings.Join(router.ProxyPlanes(), ", ")},
			benchVars(),
			loadVars(),
			capacityVars(),
			kong.Exit(func(code int) { panic(exited{code}) }),
			kong.BindTo(ctx, (*context.Context)(nil)),
			kong.Bind(terminal{stdout, stderr}),
			kong.ConfigureHelp(kong.HelpOptions{Compact: true}),
		)
		if err != nil {
			return err
		}
		if len(args) == 0 {
			args = []string{"--help"}
		}
		parsed, err := parser.Parse(args)
		if err != nil {
			return misused("%w (see 'breakbank --help')", plainer(args, err))
		}
		return parsed.Run()
	}
	err := command()
	switch {
	case over:
		return code
	case err == nil:
		return exitOK
	}
	fmt.Fprintln(stderr, "breakbank:", oneLine(err))
	return exitCode(err)
}

// belowZero is an argument that kong takes for a flag.
var belowZero = regexp.MustCompile(`^-[0-9]`)

// plainer says what is wrong with a number below 0 that stands where no flag
// takes it; any other error it leaves as it is.
func plainer(args []string, err error) error {
	if i := slices.IndexFunc(args, belowZero.MatchString); i >= 0 && strings.HasPrefix(err.Error(), "unknown flag -"+args[i][1:2]) {
		return fmt.Errorf("%s: say a number that is 0 or more", args[i])
	}
	return err
}

// exitCode says what kind of failure an error is; of several the gravest.
func exitCode(err error) int {
	var joined interface{ Unwrap() []error }
	switch {
	case errors.As(err, new(usageError)):
		return exitUsage
	case errors.As(err, &joined):
		gravest := exitMissed
		for _, e := range joined.Unwrap() {
			switch exitCode(e) {
			case exitMissed:
			case exitInvalid:
				gravest = exitInvalid
			default:
				return exitFailed
			}
		}
		return gravest
	case errors.As(err, new(missedError)):
		return exitMissed
	case errors.As(err, new(invalidError)):
		return exitInvalid
	}
	return exitFailed
}

// invalidError is a measurement that must not be trusted.
type invalidError struct{ error }

// oneLine keeps what is said about a failure on a single line.
func oneLine(err error) string {
	return strings.Join(strings.FieldsFunc(err.Error(), func(r rune) bool { return r == '\n' }), "; ")
}
