package fault

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"breakbank/platform/process"
)

// pauseLookEvery is how often a process that stands still is looked at.
const pauseLookEvery = 100 * time.Millisecond

var processPause = Kind{
	Name:    "process-pause",
	About:   "a process stands still (SIGSTOP): it keeps its connections and answers nothing, until it is cleared (SIGCONT)",
	Targets: func(v Victims) []string { return v.Processes() },
	Without: withoutProcesses,
	Inject: func(ctx context.Context, v Victims, target string, params map[string]string) (Active, error) {
		if err := onlyKnown(params); err != nil {
			return nil, err
		}
		before, err := livingProcess(ctx, v, target)
		if err != nil {
			return nil, err
		}
		if before.State == process.Stopped {
			return nil, fmt.Errorf("%s stands still already", target)
		}
		p := &pausedProcess{victims: v, name: target, paused: before}
		if err := p.begin(ctx); err != nil {
			return nil, errors.Join(fmt.Errorf("pause %s: %w", target, err), p.resume(context.WithoutCancel(ctx)))
		}
		life, cancel := context.WithCancel(context.WithoutCancel(ctx))
		p.stopLooking = cancel
		p.looking.Go(func() { p.lookOn(life) })
		return p, nil
	},
}

// pausedProcess is one that stands still, watched for as long as it should.
type pausedProcess struct {
	victims Victims
	name    string
	paused  ProcessState

	stopLooking context.CancelFunc
	looking     sync.WaitGroup

	mu      sync.Mutex
	first   time.Time // when it was first seen standing still
	last    time.Time
	looks   int64 // that found it standing still
	wentOn  bool  // some look found it going on
	gone    bool  // it ended while it stood still
	resumed bool  // it went on once it was cleared
}

// begin stops the process and waits until the kernel says so.
func (p *pausedProcess) begin(ctx context.Context) error {
	if err := p.victims.SignalProcess(ctx, p.name, SignalStop); err != nil {
		return err
	}
	ended := false
	err := until(ctx, processLimit, func() bool {
		now, gone, err := successor(ctx, p.victims, p.name, p.paused)
		ended = gone
		stopped := err == nil && !gone && now.State == process.Stopped
		if stopped {
			p.seen(now, false)
		}
		return stopped || gone
	})
	if err == nil && ended {
		return errors.New("it ended instead")
	}
	return err
}

// lookOn sees whether it goes on standing still.
func (p *pausedProcess) lookOn(ctx context.Context) {
	again := time.NewTicker(pauseLookEvery)
	defer again.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-again.C:
			now, gone, err := successor(ctx, p.victims, p.name, p.paused)
			if err != nil {
				continue // Nobody knows, which proves neither.
			}
			if p.seen(now, gone); gone {
				return
			}
		}
	}
}

func (p *pausedProcess) seen(now ProcessState, gone bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	switch {
	case gone:
		p.gone = true
	case now.State != process.Stopped:
		p.wentOn = true
	default:
		p.last = time.Now()
		if p.looks == 0 {
			p.first = p.last
		}
		p.looks++
	}
}

// Clear lets the process go on and waits until the kernel says so. A process
// that has ended meanwhile needs nothing.
func (p *pausedProcess) Clear(ctx context.Context) error {
	p.stopLooking()
	p.looking.Wait()
	return p.resume(ctx)
}

func (p *pausedProcess) resume(ctx context.Context) error {
	var last error
	sent := false
	err := until(ctx, processLimit, func() bool {
		now, gone, err := successor(ctx, p.victims, p.name, p.paused)
		last = err
		switch {
		case err != nil:
			return false
		case !gone && (!sent || now.State == process.Stopped):
			// At least once, since a stop may be on its way.
			last = p.victims.SignalProcess(ctx, p.name, SignalContinue)
			sent = last == nil
			return false
		}
		p.mu.Lock()
		defer p.mu.Unlock()
		p.gone, p.resumed = p.gone || gone, !gone
		return true
	})
	if err != nil {
		return errors.Join(fmt.Errorf("let %s go on: %w", p.name, err), last)
	}
	return nil
}

// Proof counts the looks that found the process standing still, provided that
// none found it going on.
func (p *pausedProcess) Proof() Proof {
	p.mu.Lock()
	defer p.mu.Unlock()
	proof := Proof{Count: p.looks}
	proof.Evidence = fmt.Sprintf("%s, %s, stood still for %v, at each of %d looks",
		p.name, p.paused, p.last.Sub(p.first).Round(pauseLookEvery), p.looks)
	switch {
	case p.wentOn:
		proof.Count = 0
		proof.Evidence = fmt.Sprintf("%s, %s, stood still at %d looks and went on before it was cleared", p.name, p.paused, p.looks)
	case p.gone:
		proof.Evidence += "; then it ended"
	case p.resumed:
		proof.Evidence += "; then it went on"
	}
	return proof
}
