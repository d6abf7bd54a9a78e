package replay

import (
	"context"
	"fmt"
	"slices"
	"time"

	"breakbank/bench/result"
	"breakbank/bench/scenario"
)

// settle is how long calls that were sent into routers without a table still
// take to be answered once the tables are there: the card edge's budgets for
// the primary and for stand-in, 1.2 s and 0.6 s (incident.md).
const settle = 1800 * time.Millisecond

// script takes all steps in their time, and watches the aftermath. It ends
// early only when ctx does.
func (p *play) script(ctx context.Context) {
	last := time.Now()
	for _, step := range p.run.plan.Steps {
		p.await(ctx, step, last)
		if ctx.Err() != nil {
			return
		}
		p.step(ctx, step)
		last = time.Now()
	}
	pause(ctx, p.run.plan.Aftermath)
}

// await waits until a step is due. One whose time has passed while the step
// before it was at work is due at once.
func (p *play) await(ctx context.Context, step scenario.Planned, last time.Time) {
	switch step.At.Kind {
	case scenario.BeforeTheClock:
		p.clock.say(step.At.Words)
	case scenario.OnTheClock:
		if p.full == nil {
			// The first of them takes the full load, and with it starts the clock.
			p.clock.say(scenario.ClockText(p.run.plan.ClockStart))
			return
		}
		pause(ctx, time.Until(p.clock.due(step.Due)))
		if step.Opens != "" {
			p.finish(ctx)
		}
	case scenario.OnceLive:
		p.clock.stand(last)
		if !p.states.awaitLive(ctx, last, scenario.RecoverMax) && ctx.Err() == nil {
			p.event(result.Event{Kind: result.EventNote, ID: step.ID, Text: fmt.Sprintf(
				"not every router is live %v after the step before", scenario.RecoverMax)})
		}
		pause(ctx, settle)
		p.clock.run(time.Now())
	}
}

// finish waits until the phase that is open has had the time it needs, counted
// from when the step that opened it had completed: on a slow machine, or with a
// process for every part, that step may take longer than the whole phase has in
// the script. The clock stands still meanwhile.
func (p *play) finish(ctx context.Context) {
	open := ""
	if n := len(p.spans); n > 0 {
		open = p.spans[n-1].Name
	}
	phases := p.run.plan.Scenario.Phases
	i := slices.IndexFunc(phases, func(ph scenario.Phase) bool { return ph.Name == open })
	if i < 0 {
		return
	}
	missing := time.Until(p.begun.Add(phases[i].Min))
	if missing <= 0 {
		return
	}
	p.clock.stand(time.Now())
	pause(ctx, missing)
	p.clock.run(time.Now())
}

// step opens the step's phase, if it has one, and does what it says. A step
// that fails is noted, and the script goes on: what it leaves undone shows.
func (p *play) step(ctx context.Context, step scenario.Planned) {
	if step.Opens != "" {
		p.open(step.Opens)
		defer func() { p.begun = time.Now() }()
	}
	if step.Skipped {
		p.event(result.Event{Kind: result.EventStepSkipped, ID: step.ID, Text: step.Do})
		return
	}
	p.event(result.Event{Kind: result.EventStep, ID: step.ID, Text: step.Do})
	begun := time.Now()
	limited, cancel := context.WithTimeoutCause(ctx, stepMax, fmt.Errorf("not complete after %v", stepMax))
	defer cancel()
	note, err := step.Verb.Run(limited, p.operator, step.Args)
	e := result.Event{Kind: result.EventStepDone, ID: step.ID, Text: step.Do, TookMs: time.Since(begun).Milliseconds()}
	if note != "" {
		e.Text += ": " + note
	}
	if err != nil {
		if ctx.Err() != nil {
			return
		}
		e.Kind, e.Error = result.EventStepFailed, err.Error()
		p.failedSteps = append(p.failedSteps, fmt.Sprintf("%s (%s): %v", step.ID, step.Do, err))
	}
	p.event(e)
}

// open ends the phase before and begins the named one.
func (p *play) open(name string) {
	now := time.Now()
	at := p.clock.seconds(now)
	if len(p.spans) == 0 {
		at = 0 // The warm-up started with the first phase.
	}
	if n := len(p.spans); n > 0 {
		p.spans[n-1].ToS = at
	}
	words, _ := p.clock.show(now)
	p.spans = append(p.spans, result.Span{Name: name, ClockFrom: words, FromS: at, ToS: at})
	p.setPhase(name)
	p.backlogs.phase(now)
	p.event(result.Event{Kind: result.EventPhase, ID: name, Text: name})
}

// fullLoad starts the main load and the script's clock, then ends the warm-up:
// no customer is left without a load in between.
func (p *play) fullLoad(ctx context.Context) error {
	start := time.Now().Add(connectLead)
	p.full = p.begin(p.loadCtx, p.run.full, start)
	p.clock.start(start)
	pause(ctx, time.Until(start))
	p.warmup.stop()
	return nil
}

// pause waits for a while, or until ctx ends.
func pause(ctx context.Context, d time.Duration) {
	if d <= 0 {
		return
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
	case <-timer.C:
	}
}
