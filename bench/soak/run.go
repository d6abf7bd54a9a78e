package soak

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"breakbank/bench/result"
)

// Schema and Kind are those of a soak's result.json.
const (
	Schema = 1
	Kind   = "soak"
)

// Options say what is soaked, and for how long.
type Options struct {
	// WarmUp is loaded and not read; Duration is.
	WarmUp, Duration time.Duration
	// Every is how often each process is read.
	Every time.Duration
	// List lists the processes as they are now.
	List func(ctx context.Context) ([]Process, error)
	Read Read
	// Load offers the load for warm-up, duration and LoadSlack, and returns what
	// came of it.
	Load func(ctx context.Context) (Load, error)
	// Progress is told in words how it goes.
	Progress func(text string)
}

// Check refuses what cannot be judged.
func (o Options) Check() error {
	switch {
	case o.WarmUp < 0:
		return fmt.Errorf("a warm-up of %v: say 0 or more", o.WarmUp)
	case o.Every < everyMin:
		return fmt.Errorf("reading each %v: say %v or more, or reading is a load of its own", o.Every, everyMin)
	case o.wanted() < pointsMin:
		return fmt.Errorf("%v with a reading each %v are %d readings; a slope needs %d", o.Duration, o.Every, o.wanted(), pointsMin)
	}
	return nil
}

// LoadSlack is how much longer than the readings the load lasts: they begin
// before it is at its rate.
const LoadSlack = 5 * time.Second

const everyMin = 100 * time.Millisecond

// wanted is how many readings fit into the duration.
func (o Options) wanted() int { return int(o.Duration / o.Every) }

// Load is what the load came to.
type Load struct {
	RatePerS float64 `json:"rate_per_s"`
	Sent     int64   `json:"sent"`
	// SentShare and GoodShare are of what was scheduled, 0 to 1.
	SentShare float64 `json:"sent_share"`
	GoodShare float64 `json:"good_share"`
	// Notes are what else its own verdict says, of latencies too: those are not
	// what a soak is about.
	Notes []string `json:"notes"`
}

// The shares of what was scheduled that make a load of a soak.
const (
	sentMin = 0.995
	goodMin = 0.99
)

// Carried says whether the platform was under that load at all.
func (l Load) Carried() bool { return l.SentShare >= sentMin && l.GoodShare >= goodMin }

// Result is result.json of a soak.
type Result struct {
	Schema    int     `json:"schema"`
	Kind      string  `json:"kind"`
	DurationS float64 `json:"duration_s"`
	WarmUpS   float64 `json:"warm_up_s"`
	EveryS    float64 `json:"every_s"`
	// Partial is set when it was stopped before its end.
	Partial bool `json:"partial"`
	// Flat says that every process stayed as it was.
	Flat        bool               `json:"flat"`
	Processes   []ProcessResult    `json:"processes"`
	Load        Load               `json:"load"`
	Environment result.Environment `json:"environment"`
}

// Run soaks. An error means that there is no result.
func Run(ctx context.Context, o Options) (*Result, error) {
	if err := o.Check(); err != nil {
		return nil, err
	}
	ctx, stop := context.WithCancel(ctx)
	var loading sync.WaitGroup
	defer func() {
		stop()
		loading.Wait()
	}()
	var load Load
	var failed error
	over := make(chan struct{})
	loading.Go(func() {
		defer close(over)
		load, failed = o.Load(ctx)
	})
	o.Progress(fmt.Sprintf("warming up for %v", o.WarmUp))
	if err := pause(ctx, o.WarmUp, over); err != nil {
		stop()
		<-over
		return nil, errors.Join(err, failed)
	}
	before, err := o.List(ctx)
	if err != nil {
		return nil, err
	}
	if len(before) == 0 {
		return nil, errors.New("the platform has no processes to read")
	}
	// Without its load it is no soak.
	reading, done := context.WithCancel(ctx)
	defer done()
	loading.Go(func() {
		select {
		case <-over:
			done()
		case <-reading.Done():
		}
	})
	began := time.Now()
	said := time.Time{}
	tracks := sample(reading, before, o.Read, o.Every, o.Duration, func(atS float64) {
		if time.Since(said) >= progressEach {
			said = time.Now()
			o.Progress(fmt.Sprintf("%.0f of %.0f s, %d processes", atS, o.Duration.Seconds(), len(before)))
		}
	})
	took := time.Since(began)
	done()
	r := &Result{
		Schema: Schema, Kind: Kind, DurationS: took.Seconds(), WarmUpS: o.WarmUp.Seconds(), EveryS: o.Every.Seconds(),
		Partial: took < o.Duration,
	}
	r.Processes = Judge(tracks, took.Seconds(), int(took/o.Every))
	if !r.Partial {
		after, err := o.List(ctx)
		if err != nil {
			return nil, err
		}
		r.Processes = changed(r.Processes, before, after)
	}
	o.Progress("waiting for what is in flight")
	<-over
	if failed != nil {
		return nil, failed
	}
	r.Load = load
	r.Flat = !r.Partial
	for _, p := range r.Processes {
		r.Flat = r.Flat && p.Verdict == Flat
	}
	return r, nil
}

// progressEach is how often is said how far it is.
const progressEach = 10 * time.Second

// errNoLoad is that the load ended before its time.
var errNoLoad = errors.New("the load ended during the warm-up")

// pause waits, but not longer than the load lasts.
func pause(ctx context.Context, d time.Duration, over <-chan struct{}) error {
	if d == 0 {
		return ctx.Err()
	}
	wait := time.NewTimer(d)
	defer wait.Stop()
	select {
	case <-wait.C:
		return nil
	case <-over:
		return errNoLoad
	case <-ctx.Done():
		return errors.New("interrupted during the warm-up; nothing was measured")
	}
}
