package peers

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"

	"breakbank/bench/machine"
	"breakbank/bench/peers/process"
	"breakbank/bench/peers/router/driver"
)

// sample is what one block measured of one cell.
type sample struct {
	cell  cell
	block int

	window time.Duration
	driver driver.Measured
	// Processor time used in the window: by the peer, by the echo service, by
	// this process.
	peer, echo, own time.Duration
	// machine is what its cores did in the window, others included.
	machine machine.Time
	// p50 and p99 are of driver.Response, which is not kept (table.add).
	p50, p99 quantile
}

// cell is a case put to a peer: a key.
type cell struct {
	of   Case
	peer string
}

func (c cell) String() string { return c.peer + ", " + c.of.Name }

// authority is the name of the service that requests are for. Our router finds
// the echo service by it, the others do not look.
const authority = Service

// method is that of gRPC's interoperability service.
const method = "/grpc.testing.TestService/UnaryCall"

// timing is how long a cell is loaded in one block: to settle, then measured.
type timing struct{ settle, window time.Duration }

// meter holds the readings at the edges of a window.
type meter struct {
	peer, echo, own process.Reading
	machine         machine.Time
	at              time.Time
}

func (b *block) read(peer string) (meter, error) {
	var m meter
	var errs [3]error
	m.machine = machine.Now()
	m.peer, errs[0] = process.Read(b.peers[peer].children()...)
	m.echo, errs[1] = process.Read(b.echo)
	m.own, errs[2] = process.Self()
	m.at = time.Now()
	return m, errors.Join(errs[:]...)
}

// measure puts a case to a peer and measures one window of it. seed draws the
// times of a Paced case: the same for every peer of a block.
func (b *block) measure(ctx context.Context, number int, c cell, t timing, seed uint64) (sample, error) {
	message, err := driver.UnaryCall(c.of.RequestBytes, c.of.AnswerBytes)
	if err != nil {
		return sample{}, err
	}
	load := driver.Load{
		Addresses: b.peers[c.peer].addresses, Authority: authority, Method: method,
		Message: message, Connections: c.of.Connections, Streams: c.of.Streams,
		Settle: t.settle, Window: t.window,
	}
	if c.of.Load == Paced {
		load.RatePerS, load.Seed = c.of.RatePerS, seed
	}
	var opened, closed meter
	var errs [2]error
	load.Opened = func() { opened, errs[0] = b.read(c.peer) }
	load.Closed = func() { closed, errs[1] = b.read(c.peer) }
	measured, err := driver.Run(ctx, load)
	if err == nil && measured.Done == 0 {
		err = errors.New("nothing was answered in the whole window")
	}
	if err = errors.Join(err, errs[0], errs[1]); err != nil {
		return sample{}, fmt.Errorf("measure %s: %w", c, err)
	}
	s := sample{
		cell: c, block: number, driver: measured,
		window: closed.at.Sub(opened.at), machine: closed.machine.Minus(opened.machine),
	}
	for _, part := range []struct {
		used        *time.Duration
		before, now process.Reading
	}{{&s.peer, opened.peer, closed.peer}, {&s.echo, opened.echo, closed.echo}, {&s.own, opened.own, closed.own}} {
		if *part.used, err = part.now.Since(part.before); err != nil {
			return sample{}, fmt.Errorf("measure %s: %w", c, err)
		}
	}
	return s, nil
}

// microsecondsEach is the processor time a request.
func microsecondsEach(used time.Duration, requests int64) float64 {
	return float64(used) / float64(time.Microsecond) / float64(requests)
}

// quantile is a quantile of a latency, and whether there were enough values for
// it: as many as make one expected beyond it.
type quantile struct {
	ms     float64
	enough bool
}

func quantileOf(h *hdrhistogram.Histogram, q float64) quantile {
	const rounding = 1e-9
	return quantile{
		ms:     milliseconds(h.ValueAtQuantile(q * 100)),
		enough: float64(h.TotalCount())*(1-q) >= 1-rounding,
	}
}

func milliseconds(ns int64) float64 { return float64(ns) / float64(time.Millisecond) }
