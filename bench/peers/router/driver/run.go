package driver

import (
	"context"
	"errors"
	"fmt"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/net/http2/hpack"

	"breakbank/platform/wire"
)

// phases of a run.
const (
	settling int32 = iota
	measuring
	over
)

// run is one Load under way.
type run struct {
	load    Load
	headers []hpack.HeaderField
	started time.Time

	phase    atomic.Int32
	answered atomic.Bool // something, in the window
	calls    atomic.Int64
	inFlight atomic.Int64
	failures atomic.Int64
	hopeless chan struct{} // closed when too much has failed

	ending atomic.Bool // nothing more is begun
	landed sync.Once
	idle   chan struct{} // closed when ending and nothing is in flight

	impatient atomic.Bool // what is still under way is given up
}

// Run puts a load to a peer. It returns when the window is over and the calls
// under way are answered or patience has ended. It fails if ctx ends, if a
// connection cannot be made, or if nearly everything fails.
func Run(ctx context.Context, l Load) (Measured, error) {
	if l.Connections < 1 || len(l.Addresses) == 0 || l.Arrivals == nil && l.Streams < l.Connections {
		return Measured{}, fmt.Errorf("load %s: %d connections to %d addresses, %d streams: too few",
			l.Method, l.Connections, len(l.Addresses), l.Streams)
	}
	r := &run{load: l, headers: l.headers(), hopeless: make(chan struct{}), idle: make(chan struct{})}
	callers, err := r.connect(ctx)
	defer closeAll(callers)
	if err != nil {
		return Measured{}, err
	}
	r.started = time.Now()
	pacer := &pacer{run: r, callers: callers, measured: newMeasured(), done: make(chan struct{})}
	if l.Arrivals != nil {
		go pacer.pace(ctx)
	} else {
		close(pacer.done)
		err = r.fill(callers)
	}
	if err == nil {
		err = r.watch(ctx)
	}
	r.phase.Store(over)
	<-pacer.done
	if err == nil {
		r.awaitIdle(ctx)
	}
	r.impatient.Store(true)
	closeAll(callers) // Ends what is under way; nobody writes to the records after.
	total := pacer.measured
	for _, c := range callers {
		total.add(&c.measured)
	}
	if l.Arrivals == nil {
		total.Due = total.Done
	}
	if err != nil {
		err = fmt.Errorf("load %s: %w%s", l.Addresses[0], err, firstError(total.Errors))
	}
	return total, err
}

// connect makes the connections.
func (r *run) connect(ctx context.Context) ([]*caller, error) {
	var callers []*caller
	dialer := net.Dialer{Timeout: dialLimit}
	for i := range r.load.Connections {
		address := r.load.Addresses[i%len(r.load.Addresses)]
		conn, err := dialer.DialContext(ctx, "tcp", address)
		if err != nil {
			return callers, fmt.Errorf("connect to %s: %w", address, err)
		}
		callers = append(callers, newCaller(r, conn))
	}
	return callers, nil
}

// fill puts the closed loop's calls under way, which keep themselves up.
func (r *run) fill(callers []*caller) error {
	var b wire.Batch
	defer b.Flush()
	now := time.Now()
	for i := range r.load.Streams {
		if err := callers[i%len(callers)].begin(&b, now, now); err != nil {
			return err
		}
	}
	return nil
}

var errHopeless = errors.New("nearly every call fails")

// watch lets the load settle and the window pass.
func (r *run) watch(ctx context.Context) error {
	if err := r.pass(ctx, r.load.Settle); err != nil {
		return err
	}
	r.load.Opened()
	r.phase.Store(measuring)
	for range windowsMax {
		if err := r.pass(ctx, r.load.Window); err != nil {
			return err
		}
		if r.answered.Load() {
			break
		}
	}
	r.load.Closed()
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

// land notes that a call has ended.
func (r *run) land() {
	if r.inFlight.Add(-1) == 0 && r.ending.Load() {
		r.landed.Do(func() { close(r.idle) })
	}
}

// awaitIdle waits for the calls under way, as long as patience lasts. Nothing
// more is begun.
func (r *run) awaitIdle(ctx context.Context) {
	r.inFlight.Add(1)
	r.ending.Store(true)
	r.land()
	patient := time.NewTimer(patience)
	defer patient.Stop()
	select {
	case <-r.idle:
	case <-patient.C:
	case <-ctx.Done():
	}
}

func closeAll(callers []*caller) {
	for _, c := range callers {
		c.conn.Close()
	}
}

// firstError is an example of what went wrong.
func firstError(errs map[string]int64) string {
	for what := range errs {
		return ": " + what
	}
	return ""
}
