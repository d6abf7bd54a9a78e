package loadgen

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"runtime/debug"
	"runtime/metrics"
	"strconv"
	"time"

	"google.golang.org/grpc/codes"

	core "breakbank/loadgen"
	"breakbank/loadgen/evidence"
	"breakbank/loadgen/pacer"
	"breakbank/loadgen/recording"
	"breakbank/loadgen/transport"
)

const (
	// patience of every request: longer than any server here takes.
	patience = 15 * time.Second
	// startLead is how long after everything is ready the first request may be
	// due.
	startLead = 20 * time.Millisecond
	// closedPerS is the rate of the schedule whose arrivals a closed loop
	// performs over and over; their times mean nothing to it.
	closedPerS = 1000
	// heapSlack is how much garbage may gather before it is collected, whatever
	// the schedule weighs: memory then stays flat, and a collection, which has no
	// pointers to follow in a schedule, costs next to nothing.
	heapSlack = 16 << 20
	// graceAtEnd bounds how long what is under way may go on after an interrupt.
	graceAtEnd = 100 * time.Millisecond
)

// Offer is breakbank's own generator at work in a process of its own: the runner,
// the wire transport and the recorder with its three clocks, and nothing else.
type Offer struct {
	// Target is host:port of a server of grpc.testing.TestService.
	Target      string
	Connections int
	// Closed, if above 0, is how many requests are always under way; otherwise
	// RatePerS are due each second, evenly or as a Poisson process.
	Closed   int
	RatePerS float64
	Even     bool
	// MaxInFlight caps the requests under way; 0 is the runner's own cap.
	MaxInFlight int
	Duration    time.Duration
	Seed        uint64
}

// offerArgs make breakbank do a job.
func offerArgs(j job) []string {
	args := []string{
		"peers", "offer", "--target", j.address, "--connections", strconv.Itoa(j.connections),
		"--duration", j.lasts.String(), "--seed", strconv.FormatUint(j.seed, 10), "--out", j.out,
	}
	if j.ratePerS == 0 {
		return append(args, "--closed", strconv.Itoa(j.streams))
	}
	args = append(args, "--rate", strconv.FormatFloat(j.ratePerS, 'f', -1, 64))
	if j.even {
		args = append(args, "--even")
	}
	if j.maxInFlight > 0 {
		args = append(args, "--max-in-flight", strconv.Itoa(j.maxInFlight))
	}
	return args
}

// offerTold reads what Offer.Write has written.
func offerTold(j job) (*Told, error) {
	text, err := os.ReadFile(j.out)
	if err != nil {
		return nil, fmt.Errorf("read what breakbank reports: %w", err)
	}
	told := &Told{}
	if err := json.Unmarshal(text, told); err != nil {
		return nil, fmt.Errorf("read what breakbank reports: %w", err)
	}
	return told, nil
}

// schedule is what the job of a generator at a rate comes to: who knows the job
// knows the schedule.
func (o Offer) schedule() (*core.Schedule, error) {
	plan := core.Plan{Seed: o.Seed, Duration: o.Duration, Journeys: []core.JourneySpec{
		{Name: "unary", Weight: 1, Patience: patience, Steps: make([]core.Step, 1)},
	}}
	switch {
	case o.Closed > 0:
		plan.Pacer = pacer.Poisson{PerS: closedPerS}
		plan.Duration = max(plan.Duration, time.Second)
	case o.Even:
		plan.Pacer = pacer.Constant{PerS: o.RatePerS}
		// Half a gap more, so that it has rate × duration arrivals.
		plan.Duration += time.Duration(float64(time.Second) / o.RatePerS / 2)
	default:
		plan.Pacer = pacer.Poisson{PerS: o.RatePerS}
	}
	s, err := core.Draw(plan)
	if err != nil {
		return nil, err
	}
	s.Duration = o.Duration
	return s, nil
}

// step calls the method with the same request each time.
func step() (core.Step, error) {
	body, err := request()
	if err != nil {
		return core.Step{}, fmt.Errorf("make the request: %w", err)
	}
	head := &transport.Head{Path: "/" + service + "/" + method}
	return core.Step{
		Build: func(_ *core.Visit, c *transport.Call) error {
			c.Head, c.Request = head, body
			return nil
		},
		Judge: func(_ *core.Visit, c *transport.Call) core.Decision {
			if c.Code != codes.OK {
				return core.Refused(false, core.CodeName(c.Code), c.Message)
			}
			return core.Decision{Outcome: core.OK}
		},
	}, nil
}

// Run offers the load and says what came of it. When ctx ends, it stops.
func (o Offer) Run(ctx context.Context) (*Told, error) {
	s, err := o.schedule()
	if err != nil {
		return nil, err
	}
	if s.Journeys[0].Steps[0], err = step(); err != nil {
		return nil, err
	}
	t, err := transport.NewWire(transport.Config{Targets: []transport.Target{
		{Name: "the server", Addresses: []string{o.Target}, Connections: o.Connections},
	}})
	if err != nil {
		return nil, err
	}
	defer t.Close()
	if err := t.Settle(ctx); err != nil {
		return nil, err
	}
	r := core.Runner{Transport: t, Closed: o.Closed, MaxInFlight: o.MaxInFlight, Grace: graceAtEnd}
	recorder := recording.NewRecorder(recording.Options{Journeys: core.Names(s.Journeys), Patience: patience})
	steadyHeap()
	start := time.Now().Add(startLead)
	summary, err := r.Run(ctx, s, start, recorder)
	if err != nil {
		return nil, err
	}
	if summary.Interrupted && ctx.Err() != nil {
		return nil, errors.New("interrupted before its end")
	}
	return told(s, start, &summary, recorder.Snapshot()), nil
}

// told sums a load up.
func told(s *core.Schedule, start time.Time, summary *core.Summary, kept *recording.Snapshot) *Told {
	totals := kept.Totals(int64(summary.Scheduled), s.Duration)
	out := &Told{
		Calls: int64(summary.Scheduled), Failed: totals.Failed + totals.Unknown, StartedNs: start.UnixNano(),
		LatencyMs:    ofHistogram(kept.Overall(recording.Response)),
		ServiceMs:    ofHistogram(kept.Overall(recording.Service)),
		SendDelayMs:  ofHistogram(kept.Overall(recording.SendDelay)),
		OfferedShare: float64(summary.Sent) / float64(max(1, summary.Scheduled)),
		MostFailed:   mostBut("", totals.Errors),
	}
	if summary.SentNs != nil {
		out.StrayD = evidence.StrayOf(evidence.SentTimes(s, summary, 0)).D
		out.ScheduleSHA256 = s.SHA256()
	}
	return out
}

// steadyHeap gives back what drawing the schedule has left behind, and has the
// garbage collected each time that heapSlack of it has gathered. It is for a
// process that offers one load.
func steadyHeap() {
	debug.FreeOSMemory()
	live := []metrics.Sample{{Name: "/gc/heap/live:bytes"}}
	metrics.Read(live)
	if live[0].Value.Kind() == metrics.KindUint64 {
		debug.SetGCPercent(max(1, int(heapSlack*100/max(1, live[0].Value.Uint64()))))
	}
}

// Check refuses what cannot be offered.
func (o Offer) Check() error {
	switch {
	case o.Closed < 0 || o.Closed == 0 && !(o.RatePerS > 0):
		return errors.New("say --rate or --closed, above 0")
	case o.Closed > 0 && o.RatePerS != 0:
		return errors.New("say --rate or --closed, not both")
	case o.Duration <= 0:
		return fmt.Errorf("a duration of %v", o.Duration)
	case o.Connections < 1 || o.MaxInFlight < 0:
		return fmt.Errorf("%d connections, %d in flight", o.Connections, o.MaxInFlight)
	}
	return nil
}

// Write writes what a load came to to a file.
func (t *Told) Write(path string) error {
	text, err := json.MarshalIndent(t, "", "  ")
	if err != nil {
		return fmt.Errorf("write what was measured: %w", err)
	}
	if err := os.WriteFile(path, append(text, '\n'), 0o600); err != nil {
		return fmt.Errorf("write what was measured: %w", err)
	}
	return nil
}
