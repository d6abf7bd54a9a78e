package load

import (
	"errors"
	"fmt"
	"math"
	"net"
	"slices"
	"strconv"
	"strings"
	"time"

	"breakbank/loadgen"
	"breakbank/loadgen/pacer"
	"breakbank/loadgen/transport"
)

// Bounds of a load.
const (
	durationMax = 24 * time.Hour
	deadlineMax = time.Hour
	// closedMax is more streams than a machine keeps open.
	closedMax = 100_000
	// arrivalsMax is what a schedule holds at most (loadgen.Draw). Said here
	// first, since drawing so many takes seconds.
	arrivalsMax = 20_000_000
	// closedArrivals is how many arrivals a closed loop performs over and over.
	closedArrivals = 1 << 16
)

const defaultPacer = "poisson"

// Check says what is wrong with a spec as far as that can be seen without asking
// anybody: nil, or a Misuse.
func (s *Spec) Check() error {
	if err := s.check(); err != nil {
		return Misuse{err}
	}
	return nil
}

func (s *Spec) check() error {
	for _, check := range []func() error{s.checkWhat, s.checkWhere, s.checkPace, s.checkBounds} {
		if err := check(); err != nil {
			return err
		}
	}
	return nil
}

func (s *Spec) checkWhat() error {
	given := 0
	for _, is := range []bool{s.Method != nil, s.Journeys != nil, s.Bank != nil} {
		if is {
			given++
		}
	}
	if given != 1 {
		return errors.New("say what to call: one method, one file of journeys, or the bank")
	}
	return nil
}

func (s *Spec) checkWhere() error {
	if s.Bank != nil {
		switch {
		case len(s.Targets) > 0:
			return errors.New("the bank's own control API names its addresses: a target needs a method, or a file of journeys")
		case s.TLS != nil:
			return errors.New("the bank speaks no TLS")
		case len(s.Metadata) > 0 || s.Authority != "":
			return errors.New("the bank's journeys have headers of their own: metadata and authority are for a method, or a file of journeys")
		}
		return nil
	}
	if len(s.Targets) == 0 {
		return errors.New("say where to: a target is HOST:PORT")
	}
	for _, t := range s.Targets {
		host, port, err := net.SplitHostPort(t)
		if err != nil || host == "" {
			return fmt.Errorf("target %q: say HOST:PORT, such as 127.0.0.1:50051", t)
		}
		if n, err := strconv.ParseUint(port, 10, 16); err != nil || n == 0 {
			return fmt.Errorf("target %q: a port is a number from 1 to 65535", t)
		}
	}
	return nil
}

func (s *Spec) checkPace() error {
	switch {
	case s.Closed < 0 || s.Closed > closedMax:
		return fmt.Errorf("a closed loop of %d: say 1 to %d", s.Closed, closedMax)
	case s.Closed > 0 && (s.RatePerS != 0 || s.Pacer != ""):
		return errors.New("a closed loop has no rate and no pacer: it sends when an answer has come")
	case s.Closed == 0 && (math.IsNaN(s.RatePerS) || s.RatePerS < 0 || math.IsInf(s.RatePerS, 0)):
		return fmt.Errorf("a rate of %g: a rate is requests a second, more than 0", s.RatePerS)
	case s.Duration <= 0 || s.Duration > durationMax:
		return fmt.Errorf("a duration of %v: say more than 0, at most %v", s.Duration, durationMax)
	case s.WarmUp < 0 || s.WarmUp > durationMax:
		return fmt.Errorf("a warm-up of %v: say 0 or more, at most %v", s.WarmUp, durationMax)
	}
	if expected := s.RatePerS * max(s.Duration, s.WarmUp).Seconds(); expected > arrivalsMax {
		return fmt.Errorf("%s for %v is %.3g requests: a schedule holds %s at most; lower the rate or the duration",
			rate(s.RatePerS), max(s.Duration, s.WarmUp), expected, Grouped(arrivalsMax))
	}
	p, err := s.pacer(s.Duration)
	if err == nil && s.RatePerS > 0 && !s.followsRate(p) {
		return fmt.Errorf("pacer %s has rates of its own, and a rate of %s would mean nothing: leave it out, or write multiples of it, such as 2x",
			s.Pacer, rate(s.RatePerS))
	}
	return err
}

// followsRate says whether a spec's pacer would be another at another rate.
func (s *Spec) followsRate(p loadgen.Pacer) bool {
	other := *s
	other.RatePerS /= 2
	q, err := other.pacer(s.Duration)
	// A day of the bank has no text of its own: its mean is the rate.
	return err != nil || s.Bank != nil && strings.HasPrefix(s.Pacer, dayPrefix) || pacer.Text(q) != pacer.Text(p)
}

func (s *Spec) checkBounds() error {
	switch {
	case s.Deadline < 0 || s.Deadline > deadlineMax:
		return fmt.Errorf("a deadline of %v: say more than 0, at most %v", s.Deadline, deadlineMax)
	case s.Connections < 0:
		return fmt.Errorf("%d connections: say 1 or more", s.Connections)
	case s.MaxInFlight < 0:
		return fmt.Errorf("a cap of %d in flight: say 1 or more, or leave it out for rate × 15 s × 1.2", s.MaxInFlight)
	case s.Objective < 0:
		return fmt.Errorf("an objective of %v: say more than 0", s.Objective)
	case !slices.Contains([]string{"", CoresAuto, CoresShared, CoresOwn}, s.Cores):
		return fmt.Errorf("cores %q: say %s, %s or %s", s.Cores, CoresAuto, CoresShared, CoresOwn)
	}
	names := make([]string, 0, len(transport.Transports))
	for _, t := range transport.Transports {
		names = append(names, t.Name)
	}
	if s.Transport != "" && !slices.Contains(names, s.Transport) {
		return fmt.Errorf("no transport %q; the transports are %s and %s", s.Transport, names[0], names[1])
	}
	return nil
}

// pacer says when arrivals come. In a closed loop their times mean nothing.
func (s *Spec) pacer(lasts time.Duration) (loadgen.Pacer, error) {
	if s.Closed > 0 {
		return pacer.Constant{PerS: closedArrivals / lasts.Seconds()}, nil
	}
	form := s.Pacer
	if form == "" {
		form = defaultPacer
	}
	parse := pacer.Parse
	if s.Bank != nil && strings.HasPrefix(form, dayPrefix) {
		parse = parseDay
	}
	p, err := parse(form, s.RatePerS)
	if err != nil && s.RatePerS == 0 {
		return nil, fmt.Errorf("%w (was a rate given?)", err)
	}
	if err == nil && s.times > 0 {
		p = scaled{p, s.times}
	}
	return p, err
}

// transportName is the transport's, the default's if none was named.
func (s *Spec) transportName() string {
	if s.Transport == "" {
		return transport.Transports[0].Name
	}
	return s.Transport
}

// deadline is the patience of a request.
func (s *Spec) deadline() time.Duration {
	if s.Deadline == 0 {
		return DefaultDeadline
	}
	return s.Deadline
}

// scenario names what is called.
func (s *Spec) scenario() string {
	switch {
	case s.Method != nil:
		return s.Method.Name
	case s.Journeys != nil:
		return s.Journeys.File
	case s.Bank != nil:
		return "bank"
	}
	return ""
}
