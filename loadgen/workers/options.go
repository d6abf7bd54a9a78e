package workers

import (
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"strconv"
	"time"
)

// Bounds of a run, and what stands for 0 in Options.
const (
	// WorkersMax bounds the workers of one run.
	WorkersMax = 256
	// SpecMax bounds a spec, in bytes: it travels in one message.
	SpecMax = 6 << 20
	// TokenMin is the least length of a token: 16 characters of the 64 allowed
	// are 96 bits, when they are random (NewToken).
	TokenMin = 16

	// SilenceMin is six heartbeats, of which the coordinator gives one at each
	// look at the clock at most.
	SilenceMin = beatsPerSilence * tickEach

	DefaultWait    = time.Minute
	DefaultPrepare = time.Minute
	DefaultLead    = 250 * time.Millisecond
	DefaultLimit   = 24 * time.Hour
	DefaultGrace   = 30 * time.Second
	DefaultSilence = 3 * time.Second
)

// Options say what a coordinator has workers do. Durations of 0 stand for the
// defaults of the same names.
type Options struct {
	// Listen is where workers join, host:port; empty is any port of the
	// loopback. Elsewhere than on the loopback there must be a token.
	Listen string
	// Token is what workers must know to join: letters, digits, - and _,
	// TokenMin at least. It is part of URL and of no error or log. Empty lets
	// in whoever reaches the loopback.
	Token string
	// Workers is how many there must be.
	Workers int
	// Spec is what they are told to do, of SpecMax bytes at most.
	Spec json.RawMessage
	// ScheduleSHA256, if not empty, is what every worker must have drawn.
	// Otherwise they must agree with each other.
	ScheduleSHA256 string

	// Wait bounds how long workers are waited for, Prepare how long they may
	// take from then until all are ready.
	Wait, Prepare time.Duration
	// Lead is the time from go to the start of the workers' clocks.
	Lead time.Duration
	// Limit bounds the load, from go to the last report. After it, it is stopped
	// as if the context had ended. It must be longer than the schedule, with the
	// patience of what is in flight at its end.
	Limit time.Duration
	// Grace bounds how long workers that were stopped may take to hand in their
	// reports.
	Grace time.Duration
	// Silence is how long nothing may be heard from a worker until it is lost,
	// nor a worker hear from the coordinator until it gives up; SilenceMin at
	// least.
	Silence time.Duration

	// Observe, if not nil, is told how it goes: whenever a worker or the run
	// comes to another stage, and about four times a second while the load
	// lasts. It is called by Run's goroutine, which hears and tells nobody
	// anything meanwhile: it must return well within Silence. Snapshots are only
	// to be read.
	Observe func(State)
}

// check says what is wrong with the options, and sets what was left out.
func (o *Options) check() error {
	if o.Listen == "" {
		o.Listen = "127.0.0.1:0"
	}
	host, port, err := net.SplitHostPort(o.Listen)
	if err != nil {
		return fmt.Errorf("listen on %q: an address is host:port", o.Listen)
	}
	if n, err := strconv.Atoi(port); err != nil || n < 0 || n > 65535 {
		return fmt.Errorf("listen on %q: a port is a number from 0 to 65535", o.Listen)
	}
	switch {
	case o.Workers < 1 || o.Workers > WorkersMax:
		return fmt.Errorf("%d workers: there may be 1 to %d", o.Workers, WorkersMax)
	case len(o.Spec) > SpecMax:
		return fmt.Errorf("a spec of %d bytes: workers take %d at most", len(o.Spec), SpecMax)
	case !json.Valid(o.Spec):
		return errors.New("the spec for workers is not JSON")
	case o.Token == "" && !loopback(host):
		return fmt.Errorf("listen on %s: without a token workers may join on the loopback only", o.Listen)
	}
	if err := checkToken(o.Token); err != nil {
		return err
	}
	for _, d := range []struct {
		name     string
		set      *time.Duration
		standsIn time.Duration
	}{
		{"wait", &o.Wait, DefaultWait},
		{"prepare", &o.Prepare, DefaultPrepare},
		{"lead", &o.Lead, DefaultLead},
		{"limit", &o.Limit, DefaultLimit},
		{"grace", &o.Grace, DefaultGrace},
		{"silence", &o.Silence, DefaultSilence},
	} {
		if *d.set < 0 {
			return fmt.Errorf("a %s of %v: it must be above 0", d.name, *d.set)
		}
		if *d.set == 0 {
			*d.set = d.standsIn
		}
	}
	if o.Silence < SilenceMin {
		return fmt.Errorf("a silence of %v says nothing yet: %v does", o.Silence, SilenceMin)
	}
	return nil
}

// loopback says whether only this machine reaches a host's address.
func loopback(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}
