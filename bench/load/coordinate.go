package load

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"os/exec"
	"slices"
	"time"

	"breakbank/loadgen/evidence"
	"breakbank/loadgen/recording"
	"breakbank/loadgen/workers"
)

const (
	// childrenLeave is how long workers of this machine may take to end by
	// themselves.
	childrenLeave = 3 * time.Second
	// limitSlack is what a load may take beyond its schedule and its patience.
	limitSlack = 30 * time.Second
)

// job is what a worker is told.
type job struct {
	Spec  Spec   `json:"spec"`
	RunID string `json:"run_id"`
}

// check says what is wrong with the number of workers.
func (w *Workers) check(s Spec) error {
	switch n := w.Here + w.Elsewhere; {
	case w.Here < 0 || w.Elsewhere < 0 || n < 1 || n > workers.WorkersMax:
		return fmt.Errorf("%d workers: say 1 to %d", n, workers.WorkersMax)
	case s.Closed > 0 && s.Closed < n:
		return fmt.Errorf("a closed loop of %d leaves some of %d workers without work", s.Closed, n)
	case w.Here > 0 && w.Command == nil:
		return errors.New("workers of this machine need a command")
	}
	return nil
}

// runWorkers has other processes offer a resolved spec.
func runWorkers(ctx context.Context, s Spec, o Options) (*Result, error) {
	if err := o.Workers.check(s); err != nil {
		return nil, Misuse{err}
	}
	o.Observer.Progress("drawing the schedule")
	p, err := newPlay(s, o.RunID, 0, 1)
	if err != nil {
		return nil, Misuse{err}
	}
	spec, err := json.Marshal(job{Spec: s, RunID: o.RunID})
	if err != nil {
		return nil, fmt.Errorf("write the workers' job: %w", err)
	}
	view := coordinatorView{observer: o.Observer}
	c, err := workers.Listen(workers.Options{
		Listen: o.Workers.Listen, Token: o.Workers.Token, Workers: o.Workers.Here + o.Workers.Elsewhere,
		Spec: spec, ScheduleSHA256: p.main.schedule.SHA256(), Wait: o.Workers.Wait,
		Limit:   p.lead() + s.Duration + p.assembly.patience() + limitSlack,
		Observe: view.observe,
	})
	if err != nil {
		return nil, Misuse{err}
	}
	outcome, err := coordinate(ctx, c, o.Workers, &view)
	if outcome == nil || len(outcome.Reports) == 0 {
		if err == nil {
			err = fmt.Errorf("no worker finished: %s", lostWords(outcome))
		}
		return nil, err
	}
	reasons := outcome.InvalidReasons()
	if err != nil {
		reasons = append(reasons, err.Error())
	}
	m, each, err := merge(p, outcome)
	if err != nil {
		return nil, err
	}
	return conclude(ctx, p, o, m, each, reasons), nil
}

// coordinate starts the workers of this machine and has all of them perform the
// load.
func coordinate(ctx context.Context, c *workers.Coordinator, w *Workers, view *coordinatorView) (*workers.Outcome, error) {
	children := &workers.Children{}
	if w.Here > 0 {
		started, err := workers.StartChildren(w.Here, func(i int) (string, *exec.Cmd) {
			name := fmt.Sprintf("here-%d", i+1)
			return name, w.Command(c.URL(), name)
		}, c.Exited)
		if err != nil {
			c.Close()
			return nil, fmt.Errorf("start the workers: %w", err)
		}
		children = started
	}
	if w.Elsewhere > 0 {
		view.observer.Progress(fmt.Sprintf("waiting for %s from elsewhere at %s", plural(w.Elsewhere, "worker"), c.Address()))
	}
	outcome, err := c.Run(ctx)
	c.Close() // It is what the workers wait for.
	children.Stop(childrenLeave)
	return outcome, err
}

func lostWords(o *workers.Outcome) string {
	if o == nil || len(o.Lost) == 0 {
		return "none was there"
	}
	return fmt.Sprintf("%s: %s", o.Lost[0].Worker, o.Lost[0].Why)
}

// coordinatorView makes ticks of what workers tell.
type coordinatorView struct {
	observer Observer
	beat     pulse
	said     string
}

func (v *coordinatorView) observe(s workers.State) {
	if s.Stage < workers.Running {
		if text := s.String(); text != v.said {
			v.said = text
			v.observer.Progress(text)
		}
		return
	}
	sum, ok := sumFrames(s.Workers)
	last := time.Duration(0)
	if sum.Phase == v.beat.last.Phase {
		last = v.beat.last.At
	}
	if !ok || sum.At-last < tickEach-tellEach/2 {
		return
	}
	t := v.beat.tick(sum)
	t.Workers = s.String()
	v.observer.Tick(t)
}

// sumFrames adds up what workers told last. Its time is that of the one who is
// furthest behind, so that a second is not shown before all have told of it. Who
// is lost tells no more, and neither does who has told of the whole of its load.
// ok is false if there is nothing to show.
func sumFrames(all []workers.WorkerState) (sum frame, ok bool) {
	frames := make([]frame, len(all))
	phase := PhaseWarmUp
	for i := range all {
		var err error
		if frames[i], err = decodeFrame(all[i].Progress.Snapshot); err != nil {
			frames[i] = frame{} // It has told nothing yet.
		} else if frames[i].Phase == PhaseMain {
			phase = PhaseMain
		}
	}
	behind := time.Duration(math.MaxInt64)
	for i := range frames {
		told := frames[i].response != nil && frames[i].Phase == phase
		if told {
			if err := sum.add(frames[i]); err != nil {
				return sum, false
			}
		}
		switch {
		case all[i].Lost || all[i].Done && told && frames[i].At >= frames[i].Of:
		case told:
			behind = min(behind, frames[i].At)
		default:
			return sum, false
		}
	}
	if sum.response == nil {
		return sum, false
	}
	sum.At = min(sum.At, behind)
	return sum, true
}

// workerFacts is what a worker says beside its recording.
type workerFacts struct {
	Facts     evidence.LoadFacts `json:"facts"`
	CPUS      float64            `json:"cpu_s"`
	LastedNs  int64              `json:"lasted_ns"`
	BeganUnix int64              `json:"began_unix_ns"`
}

// report is what a worker measured, as it travels.
func (m *measured) report() (workers.Report, error) {
	main, err := m.main.MarshalBinary()
	if err != nil {
		return workers.Report{}, fmt.Errorf("write what was measured: %w", err)
	}
	var warmUp []byte
	if m.warmUp != nil {
		if warmUp, err = m.warmUp.MarshalBinary(); err != nil {
			return workers.Report{}, fmt.Errorf("write what was measured: %w", err)
		}
	}
	facts, err := json.Marshal(workerFacts{
		Facts: m.facts, CPUS: m.cpuS, LastedNs: m.lasted.Nanoseconds(), BeganUnix: m.began.UnixNano(),
	})
	return workers.Report{Facts: facts, Snapshot: joinBlocks(main, warmUp)}, err
}

// merge puts what workers measured together. What a lost worker would have sent
// counts as scheduled and not sent.
func merge(p *play, o *workers.Outcome) (*measured, []Worker, error) {
	all := &measured{began: o.Start}
	var each []Worker
	var facts []evidence.LoadFacts
	for i := range o.Reports {
		r := &o.Reports[i]
		one, err := readReport(r)
		if err != nil {
			return nil, nil, fmt.Errorf("what worker %s measured: %w", r.Worker, err)
		}
		if err := all.add(one); err != nil {
			return nil, nil, fmt.Errorf("what worker %s measured: %w", r.Worker, err)
		}
		facts = append(facts, one.facts)
		each = append(each, Worker{
			Name: r.Worker, Host: r.Host, Sent: one.facts.Sent, GeneratorCPUS: one.cpuS, Evidence: one.facts,
		})
	}
	for _, lost := range o.Lost {
		each = append(each, Worker{Name: lost.Worker, Lost: lost.Why})
	}
	slices.SortFunc(each, func(a, b Worker) int { return cmp.Compare(a.Name, b.Name) })
	all.facts = evidence.Merge(facts...)
	all.facts.Partial = all.facts.Partial || o.Partial
	if p.main.closed == 0 {
		for _, lost := range o.Lost {
			all.facts.Scheduled += share64(p.main.schedule.Until(all.lasted), lost.Part, lost.Parts)
		}
	}
	return all, each, nil
}

func readReport(r *workers.Report) (*measured, error) {
	var facts workerFacts
	if err := json.Unmarshal(r.Facts, &facts); err != nil {
		return nil, err
	}
	blocks, err := splitBlocks(r.Snapshot, 2)
	if err != nil {
		return nil, err
	}
	m := &measured{
		main: &recording.Snapshot{}, facts: facts.Facts, cpuS: facts.CPUS,
		lasted: time.Duration(facts.LastedNs), began: time.Unix(0, facts.BeganUnix),
	}
	if err := m.main.UnmarshalBinary(blocks[0]); err != nil {
		return nil, err
	}
	if len(blocks[1]) > 0 {
		m.warmUp = &recording.Snapshot{}
		if err := m.warmUp.UnmarshalBinary(blocks[1]); err != nil {
			return nil, err
		}
	}
	return m, nil
}

// add adds what another worker measured, without its facts.
func (m *measured) add(other *measured) error {
	m.cpuS, m.lasted = m.cpuS+other.cpuS, max(m.lasted, other.lasted)
	for _, s := range []struct{ into, from **recording.Snapshot }{{&m.main, &other.main}, {&m.warmUp, &other.warmUp}} {
		switch {
		case *s.from == nil:
		case *s.into == nil:
			*s.into = *s.from
		default:
			if err := (*s.into).Merge(*s.from); err != nil {
				return err
			}
		}
	}
	return nil
}
