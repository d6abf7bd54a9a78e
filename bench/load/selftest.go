package load

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os/exec"
	"strings"
	"time"

	"breakbank/bench/peers/process"
	"breakbank/loadgen/nullserver"
)

const (
	// selfTestTimes is at how many times the rate a self-test is made
	// (measurement.md, "Cost of measuring").
	selfTestTimes = 2
	// selfTestMax and selfTestWarmUp bound it: long enough for a p99.9 at 1,000 a
	// second, and for connections and the runtime to settle.
	selfTestMax    = 5 * time.Second
	selfTestWarmUp = 500 * time.Millisecond
)

// SelfTestOptions say how a self-test is made.
type SelfTestOptions struct {
	Options
	// Server makes a process that calls ServeNull at an address.
	Server func(address string) *exec.Cmd
}

// SelfTest is whether this machine can offer a load.
type SelfTest struct {
	// Able says that it can: the load was offered at Times the rate, and its
	// result is VALID.
	Able  bool    `json:"able"`
	Times float64 `json:"times"`
	// OfferedShare is how much of the schedule was sent.
	OfferedShare float64 `json:"offered_share"`
	// Result is of the load against the null server.
	Result *Result `json:"result"`
}

// ServeNull answers every call at an address with nothing, as fast as this module
// can, until ctx ends.
func ServeNull(ctx context.Context, address string) error {
	l, err := net.Listen("tcp", address)
	if err != nil {
		return fmt.Errorf("null server: %w", err)
	}
	server := nullserver.Serve(l)
	<-ctx.Done()
	return server.Close()
}

// RunSelfTest offers a load at twice its rate to a null server in another process
// of this machine, which costs less than any target would: what cannot be offered
// there cannot be offered at all. The spec is resolved first, so a method that is
// described by reflection needs its target.
func RunSelfTest(ctx context.Context, s Spec, o SelfTestOptions) (*SelfTest, error) {
	s, err := Resolve(ctx, s)
	if err != nil {
		return nil, err
	}
	if s.Closed > 0 {
		return nil, Misuse{errors.New("a closed loop has no rate that a self-test could be made at")}
	}
	o.Workers = nil // It is about this process.
	address, err := freeAddress()
	if err != nil {
		return nil, err
	}
	server, err := process.Start(ctx, "null server", o.Server(address), address)
	if err != nil {
		return nil, err
	}
	defer server.Kill()
	s.aim(address)
	s.times = selfTestTimes
	s.Duration, s.WarmUp, s.Cores = min(s.Duration, selfTestMax), selfTestWarmUp, CoresShared
	r, err := Run(ctx, s, o.Options)
	if err != nil {
		return nil, err
	}
	test := &SelfTest{Able: r.Valid, Times: selfTestTimes, Result: r}
	if n := r.Totals.Scheduled; n > 0 {
		test.OfferedShare = float64(r.Totals.Sent) / float64(n)
	}
	return test, nil
}

// aim turns a resolved spec to another address, in clear.
func (s *Spec) aim(address string) {
	s.TLS = nil
	if s.Bank == nil {
		s.Targets = []string{address}
		return
	}
	b := *s.Bank
	b.Edges = map[string][]string{}
	for service := range s.Bank.Edges {
		b.Edges[service] = []string{address}
	}
	s.Bank = &b
}

// freeAddress is a port of the loopback where nobody listens.
func freeAddress() (string, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", fmt.Errorf("find a free port: %w", err)
	}
	defer l.Close()
	return l.Addr().String(), nil
}

// SelfTestText says in words whether this machine can offer a load.
func SelfTestText(t *SelfTest) string {
	r := t.Result
	var b strings.Builder
	line := func(name, format string, args ...any) {
		fmt.Fprintf(&b, "%-12s"+format+"\n", append([]any{name}, args...)...)
	}
	line("self-test", "%s at %g times the rate, %s for %g s, against a null server on this machine", r.Scenario, t.Times, rate(r.Totals.RatePerS), r.DurationS)
	line("offered", "%s of the schedule, %s sent", percent(t.OfferedShare), Grouped(r.Totals.Sent))
	delay := latencyOf(r.Totals.SendDelayMs)
	line("send delay", "p50 %s ms, p99 %s ms, max %s ms", msCell(delay.P50), msCell(delay.P99), msCell(delay.Max))
	line("generator", "%s", generatorWords(r))
	if t.Able {
		fmt.Fprintf(&b, "\nThis machine can offer it: at %g times the rate the load was VALID.\n", t.Times)
		return b.String()
	}
	fmt.Fprintf(&b, "\nThis machine cannot be trusted to offer it: at %g times the rate the load was INVALID.\n", t.Times)
	for _, reason := range r.InvalidReasons {
		fmt.Fprintf(&b, "  invalid: %s\n", reason)
	}
	return b.String()
}
