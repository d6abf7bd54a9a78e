package driver

import (
	"context"
	"errors"
	"fmt"
	"math"
	"sync"
	"sync/atomic"
	"time"

	"google.golang.org/grpc/codes"

	"breakbank/loadgen"
	"breakbank/loadgen/transport"
)

// run is one Load under way. Times are nanoseconds since started.
type run struct {
	load    Load
	wire    *transport.Wire
	head    transport.Head
	started time.Time
	sinks   []*sink // by connection

	opened, closed atomic.Int64 // the window, [opened, closed)
	answered       atomic.Bool  // something, in the window
	failures       atomic.Int64
	hopeless       chan struct{} // closed when too much has failed
	impatient      atomic.Bool   // what is still under way is given up
}

// Run puts a load to a peer. It returns when the window is over and the calls
// under way are answered or patience has ended. It fails if ctx ends, if a
// connection cannot be made, or if nearly everything fails.
func Run(ctx context.Context, l Load) (Measured, error) {
	if err := l.check(); err != nil {
		return Measured{}, err
	}
	r := &run{load: l, head: transport.Head{Path: l.Method, Authority: l.Authority}, hopeless: make(chan struct{})}
	r.opened.Store(math.MaxInt64)
	r.closed.Store(math.MaxInt64)
	if err := r.connect(ctx); err != nil {
		return Measured{}, err
	}
	defer r.wire.Close()
	loops, err := r.loops()
	if err != nil {
		return Measured{}, err
	}
	loading, stop := context.WithCancel(ctx)
	defer stop()
	going := r.start(loading, loops)
	err = r.watch(ctx)
	if err != nil || !l.open() {
		stop() // What is due in an open loop is sent.
	}
	if err == nil {
		going.await(ctx)
	}
	r.impatient.Store(true)
	r.wire.Close() // Ends what is under way.
	stop()
	<-going.idle
	total := newMeasured()
	for _, s := range r.sinks {
		total.add(&s.measured)
	}
	if !l.open() {
		total.Due = total.Done
	}
	if err = errors.Join(err, going.err); err != nil {
		err = fmt.Errorf("load %s: %w%s", l.Addresses[0], err, firstError(total.Errors))
	}
	return total, err
}

// connect makes the connections: each is a target of its own, so that there are
// as many as were asked for, however many addresses.
func (r *run) connect(ctx context.Context) error {
	var c transport.Config
	for i := range r.load.Connections {
		address := r.load.Addresses[i%len(r.load.Addresses)]
		c.Targets = append(c.Targets, transport.Target{Name: address, Addresses: []string{address}})
		r.sinks = append(r.sinks, &sink{run: r, measured: newMeasured()})
	}
	wire, err := transport.NewWire(c)
	if err != nil {
		return err
	}
	r.wire = wire
	ctx, cancel := context.WithTimeout(ctx, connectLimit)
	defer cancel()
	if err := wire.Settle(ctx); err != nil {
		wire.Close()
		return err
	}
	return nil
}

// loop is a schedule and who performs it.
type loop struct {
	runner   loadgen.Runner
	schedule *loadgen.Schedule
	sink     loadgen.Sink
}

// loops are what to run: one for the arrivals of an open loop, one a connection
// for a closed one, whose calls follow each other on the connection that the
// last was answered on, many in one write.
func (r *run) loops() ([]loop, error) {
	if r.load.open() {
		schedule, err := r.load.schedule(r.call(func(seq int) int { return seq % r.load.Connections }))
		return []loop{{
			runner: loadgen.Runner{Transport: r.wire, MaxInFlight: inFlightMax}, schedule: schedule,
			sink: loadgen.SinkFunc(func(c *loadgen.Record) { r.sinks[c.Seq%len(r.sinks)].record(c) }),
		}}, err
	}
	var loops []loop
	for i := range r.load.Connections {
		streams := r.load.Streams / r.load.Connections
		if i < r.load.Streams%r.load.Connections {
			streams++
		}
		loops = append(loops, loop{
			runner: loadgen.Runner{Transport: r.wire, Closed: streams},
			schedule: &loadgen.Schedule{
				Duration: r.load.Settle + (windowsMax+1)*r.load.Window,
				Journeys: []loadgen.JourneySpec{r.call(func(int) int { return i })}, Arrivals: []loadgen.Arrival{{}},
			},
			sink: loadgen.SinkFunc(r.sinks[i].record),
		})
	}
	return loops, nil
}

// call is what the load does, over and over, on a connection for each.
func (r *run) call(connection func(seq int) int) loadgen.JourneySpec {
	return loadgen.JourneySpec{
		Name: "call", Weight: 1,
		// Nobody gives up before the driver does.
		Patience: r.load.Settle + (windowsMax+1)*r.load.Window + 2*patience,
		Steps: []loadgen.Step{{
			Build: func(v *loadgen.Visit, c *transport.Call) error {
				c.Head, c.Target, c.Request = &r.head, connection(v.Seq), r.load.Message.request
				// A peer is not told of a deadline: it would be one more header to
				// pass on, and a timer for those who keep one.
				c.Deadline = time.Time{}
				return nil
			},
			Judge: r.judge,
		}},
	}
}

// judge looks at an answer that is complete.
func (r *run) judge(_ *loadgen.Visit, c *transport.Call) loadgen.Decision {
	switch want := r.load.Message.answerBytes; {
	case c.Code != codes.OK:
		return loadgen.Refused(false, loadgen.CodeName(c.Code), c.Message)
	case c.ReplyBytes != want:
		return loadgen.Garbled(false, "", fmt.Sprintf("an answer of %d bytes instead of %d", c.ReplyBytes, want))
	}
	return loadgen.Decision{}
}

// going is loops that run. err is why one of them failed, once idle is closed:
// all have ended then.
type going struct {
	idle chan struct{}
	err  error
}

// start runs the loops.
func (r *run) start(ctx context.Context, loops []loop) *going {
	r.started = time.Now()
	var work sync.WaitGroup
	errs := make([]error, len(loops))
	for i := range loops {
		l := &loops[i]
		l.runner.Origin = r.started
		work.Go(func() { _, errs[i] = l.runner.Run(ctx, l.schedule, r.started, l.sink) })
	}
	g := &going{idle: make(chan struct{})}
	go func() {
		work.Wait()
		g.err = errors.Join(errs...)
		close(g.idle)
	}()
	return g
}

// await waits for the calls under way, as long as patience lasts.
func (g *going) await(ctx context.Context) {
	patient := time.NewTimer(patience)
	defer patient.Stop()
	select {
	case <-g.idle:
	case <-patient.C:
	case <-ctx.Done():
	}
}

var errHopeless = errors.New("nearly every call fails")

// watch lets the load settle and the window pass.
func (r *run) watch(ctx context.Context) error {
	if err := r.pass(ctx, r.load.Settle); err != nil {
		return err
	}
	r.load.Opened()
	r.opened.Store(time.Since(r.started).Nanoseconds())
	for range windowsMax {
		if err := r.pass(ctx, r.load.Window); err != nil {
			return err
		}
		if r.answered.Load() {
			break
		}
	}
	r.load.Closed()
	r.closed.Store(time.Since(r.started).Nanoseconds())
	return nil
}

// pass lets some of the run pass.
func (r *run) pass(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-r.hopeless:
		return errHopeless
	case <-timer.C:
		return nil
	}
}

// inWindow says whether the window is open at a time.
func (r *run) inWindow(ns int64) bool { return ns >= r.opened.Load() && ns < r.closed.Load() }

// note remembers that something was answered in the window.
func (r *run) note() {
	if !r.answered.Load() {
		r.answered.Store(true)
	}
}

// fail counts a failure.
func (r *run) fail() {
	if r.failures.Add(1) == failuresMax {
		close(r.hopeless)
	}
}

// firstError is an example of what went wrong.
func firstError(errs map[string]int64) string {
	for what := range errs {
		return ": " + what
	}
	return ""
}
