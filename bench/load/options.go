package load

import (
	"os/exec"
	"time"
)

// Options say how a load is run; none of them changes what is sent.
type Options struct {
	// RunID names the run in its result; a load on the bank has it in its keys,
	// so that two runs of one seed are two sets of payments.
	RunID string
	// Observer is told how it goes; nil is nobody.
	Observer Observer
	// Thresholds are judged at the end.
	Thresholds []Threshold
	// Workers, if not nil, are the processes that share the load; otherwise this
	// one makes it.
	Workers *Workers
	// Flags are what the program was started with, for the result.
	Flags []string
}

// Observer is told of a load while it runs, by one goroutine at a time.
type Observer interface {
	// Progress says what is done before and after the load.
	Progress(text string)
	// Tick comes about once a second.
	Tick(Tick)
}

// Workers say which processes share a load.
type Workers struct {
	// Here is how many are started on this machine, with Command; Elsewhere how
	// many are waited for that are started on others.
	Here, Elsewhere int
	// Listen is where they join, host:port; empty is any port of the loopback.
	Listen string
	// Token is what those from elsewhere must know to join.
	Token string
	// Wait bounds how long they are waited for; 0 is a minute.
	Wait time.Duration
	// Command makes a process that calls Work with a URL and a name. The URL
	// holds the token, so it goes by the environment.
	Command func(url, name string) *exec.Cmd
}

// Tick is a moment of a load: counts since its phase began, and latency of late.
type Tick struct {
	// Phase is PhaseWarmUp or PhaseMain.
	Phase string
	// At is the time since the phase began, of Of.
	At, Of time.Duration
	// Offered was due by now, Sent was sent, Done has ended, Good ended ok or
	// rightly declined, within the objective if there is one.
	Offered, Sent, Done, Good int64
	// Degraded was answered by a fallback; it is not Good.
	Degraded int64
	InFlight int64
	Retries  int64
	// RatePerS is sent and GoodPerS good, a second, since the last tick.
	RatePerS, GoodPerS float64
	// Last is the response of what has ended since the last tick, Overall that
	// of all. SendDelay is of all.
	Last, Overall, SendDelay Latency
	// Errors counts failed and unknown journeys by code.
	Errors map[string]int64
	// Workers says how the workers stand; empty without.
	Workers string
}

// The phases of a load.
const (
	PhaseWarmUp = "warm_up"
	PhaseMain   = "main"
)

// Latency is percentiles in milliseconds; one is nil where there are too few
// samples for it.
type Latency struct {
	P50  *float64 `json:"p50,omitempty"`
	P90  *float64 `json:"p90,omitempty"`
	P99  *float64 `json:"p99,omitempty"`
	P999 *float64 `json:"p999,omitempty"`
	Max  *float64 `json:"max,omitempty"`
}
