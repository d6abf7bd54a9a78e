package evidence_test

import (
	"bytes"
	"runtime"
	"runtime/debug"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"breakbank/loadgen"
	"breakbank/loadgen/evidence"
	"breakbank/loadgen/nullserver"
	"breakbank/loadgen/pacer"
	"breakbank/loadgen/transport"
)

// The conditions of the verdict, each caused: by a load that has the fault, over
// real sockets. What else is said of a load depends on the machine and on what
// else it is doing, so each test asks only for its own reason, and causes it many
// times over. Steal cannot be caused from within: TestJudgeEachReasonFires.

const (
	saysOffered     = "offered "
	saysDelay       = "send delay p99"
	saysStray       = "sent times stray"
	saysCPU         = "of the processor time it could get"
	saysSchedule    = "inter-arrival test rejects"
	saysPause       = "garbage collection pause"
	saysPartial     = "stopped before"
	saysUnaccounted = "not accounted for"
	saysUnsteady    = "no steady state"
	saysPressure    = "something waited for a processor"
)

// says whether a reason has this part.
func says(reasons []string, part string) bool {
	return slices.ContainsFunc(reasons, func(reason string) bool { return strings.Contains(reason, part) })
}

// wantReasons fails unless each of these is among the reasons.
func wantReasons(t *testing.T, o *outcome, parts ...string) {
	t.Helper()
	for _, part := range parts {
		if reasons := o.reasons(); !says(reasons, part) {
			t.Errorf("no reason with %q among %q: %+v", part, reasons, o.facts)
		}
	}
}

// wantNot fails if any of these is among the reasons.
func wantNot(t *testing.T, o *outcome, parts ...string) {
	t.Helper()
	for _, part := range parts {
		if reasons := o.reasons(); says(reasons, part) {
			t.Errorf("%q, for no cause: %q, %+v", part, reasons, o.facts)
		}
	}
}

// wait is how tests stand still on purpose.
func wait(d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	<-timer.C
}

// TestASoundLoadIsNotRefused but for what the machine may do to it: a busy one may
// delay what is sent, and no more.
func TestASoundLoadIsNotRefused(t *testing.T) {
	// A collection takes as long as the machine keeps a stopped thread waiting.
	runtime.GC()
	defer debug.SetGCPercent(debug.SetGCPercent(-1))
	o := mustRun(t, trial{PerS: 500, Lasts: time.Second})
	wantNot(t, o, saysOffered, saysSchedule, saysPause, saysPartial, saysUnaccounted)
	if !o.facts.ScheduleTested || !o.facts.SteadyTested || o.facts.SendDelayP99Ms == nil {
		t.Errorf("not all was tested: %+v", o.facts)
	}
}

// keptAttempts is how often TestSentTimesKeepToTheSchedule tries, since others may
// keep all processors busy for a while.
const keptAttempts = 3

// TestSentTimesKeepToTheSchedule at 10,000 a second: D is at most 0.05. That
// bound is wide for a generator that keeps up, and out of reach for one that does
// not; unlike a latency, D does not mind being woken late. The race detector
// makes everything some ten times as slow. Generator and server need a sixth of
// two processors: where they do not get that, nothing can be said.
func TestSentTimesKeepToTheSchedule(t *testing.T) {
	perS := 10_000.0
	if raceDetector {
		perS = 1000
	}
	var o *outcome
	for range keptAttempts {
		o = mustRun(t, trial{PerS: perS, Lasts: 2 * time.Second})
		stray := evidence.StrayOf(evidence.SentTimes(o.schedule, &o.summary, 0))
		t.Logf("%d of %d sent at %v a second: D = %.5f, over gaps of %d: %.5f",
			stray.Samples, len(o.schedule.Arrivals), perS, stray.D, stray.Group, stray.GapD)
		if stray.Samples >= len(o.schedule.Arrivals)*999/1000 && stray.D <= 0.05 {
			return
		}
	}
	if f := o.facts; f.PressureShare > 0.9 && f.GeneratorShare < 0.6 {
		t.Skipf("others keep the processors busy: something waited in %.0f %% of the time, and this process used %.0f %% of what it could get", f.PressureShare*100, f.GeneratorShare*100)
	}
	t.Errorf("sent times stray each time: %+v", o.facts)
}

// TestASenderThatStandsStill: one request takes 300 ms to build. Everything due
// meanwhile, three tenths of the load, is sent late.
func TestASenderThatStandsStill(t *testing.T) {
	o := mustRun(t, trial{PerS: 500, Lasts: time.Second, build: func(seq int) {
		if seq == 200 {
			wait(300 * time.Millisecond)
		}
	}})
	wantReasons(t, o, saysStray, saysDelay)
	wantNot(t, o, saysOffered, saysUnaccounted)
}

// TestAnImpatientLoadOfOneThatStandsStill: what was out of patience by then was
// never sent.
func TestAnImpatientLoadOfOneThatStandsStill(t *testing.T) {
	o := mustRun(t, trial{PerS: 500, Lasts: time.Second, patience: 100 * time.Millisecond, build: func(seq int) {
		if seq == 200 {
			wait(400 * time.Millisecond)
		}
	}})
	wantReasons(t, o, saysOffered, "too late to send")
	wantNot(t, o, saysUnaccounted)
}

// TestAStoppedProcess: the generator is a process that is stopped for 600 ms, as
// a suspended machine would be.
func TestAStoppedProcess(t *testing.T) {
	p := start(t, jobGenerate, 0)
	p.give(t, trial{PerS: 500, Lasts: 1500 * time.Millisecond})
	for _, step := range []struct {
		signal syscall.Signal
		wait   time.Duration
	}{{syscall.SIGSTOP, 600 * time.Millisecond}, {syscall.SIGCONT, 0}} {
		if err := p.cmd.Process.Signal(step.signal); err != nil {
			t.Fatal(err)
		}
		wait(step.wait)
	}
	wantReasons(t, p.facts(t), saysStray, saysDelay)
}

// held keeps calls back that are begun in a part of the load, until its end.
type held struct {
	transport.Transport
	from, until time.Time
}

func (h *held) Begin(b *transport.Batch, c *transport.Call) {
	if now := time.Now(); now.Before(h.from) || !now.Before(h.until) {
		h.Transport.Begin(b, c)
		return
	}
	time.AfterFunc(time.Until(h.until), func() {
		var b transport.Batch
		h.Transport.Begin(&b, c)
		b.Flush()
	})
}

// TestAPerturbedSenderIsRejected: it is always ready for the next arrival, and
// still keeps what comes in a fifth of the load until that is over.
func TestAPerturbedSenderIsRejected(t *testing.T) {
	o := mustRun(t, trial{PerS: 500, Lasts: time.Second, transport: func(inner transport.Transport) transport.Transport {
		now := time.Now()
		return &held{inner, now.Add(400 * time.Millisecond), now.Add(600 * time.Millisecond)}
	}})
	wantReasons(t, o, saysStray, saysDelay)
	if d := o.facts.SentKS; d < 0.1 {
		t.Errorf("D = %.3f for a stall of a fifth", d)
	}
	wantNot(t, o, saysOffered, saysUnaccounted)
}

// TestACapTooLow: the server takes 200 ms, so that by Little's law 100 journeys
// would be in flight, and five may be.
func TestACapTooLow(t *testing.T) {
	o := mustRun(t, trial{
		PerS: 500, Lasts: time.Second, maxInFlight: 5,
		server: func(int64, time.Duration) nullserver.Answer { return nullserver.Answer{Takes: 200 * time.Millisecond} },
	})
	wantReasons(t, o, saysOffered, "kept back by the cap")
	wantNot(t, o, saysUnaccounted)
}

func TestNobodyThere(t *testing.T) {
	o := mustRun(t, trial{PerS: 500, Lasts: 200 * time.Millisecond, unreachable: true})
	wantReasons(t, o, "offered 0.00 %", "without a connection")
	wantNot(t, o, saysUnaccounted)
}

func TestAStoppedLoad(t *testing.T) {
	o := mustRun(t, trial{PerS: 500, Lasts: 20 * time.Second, stopAfter: 100})
	wantReasons(t, o, saysPartial)
	wantNot(t, o, saysUnaccounted)
}

// TestLostRecords: a sink loses every tenth.
func TestLostRecords(t *testing.T) {
	o := mustRun(t, trial{PerS: 500, Lasts: 400 * time.Millisecond, sink: func(r *loadgen.Record) bool { return r.Seq%10 == 0 }})
	wantReasons(t, o, saysUnaccounted)
}

// TestAServerThatGetsSlower: each call takes half as long as the server has been
// up.
func TestAServerThatGetsSlower(t *testing.T) {
	o := mustRun(t, trial{PerS: 300, Lasts: 1500 * time.Millisecond, server: func(_ int64, at time.Duration) nullserver.Answer {
		return nullserver.Answer{Takes: at / 2}
	}})
	wantReasons(t, o, saysUnsteady)
}

// claimed is a metronome that claims to be a Poisson process.
type claimed struct{ pacer.Constant }

func (c claimed) Expected(at time.Duration) float64 { return c.PerS * at.Seconds() }

// TestASkewedSchedule: its pacer does not keep to its own law.
func TestASkewedSchedule(t *testing.T) {
	o := mustRun(t, trial{PerS: 500, Lasts: 400 * time.Millisecond, pacer: claimed{pacer.Constant{PerS: 500}}})
	wantReasons(t, o, saysSchedule)
}

// TestAJudgeThatBurns: an answer takes longer to judge than there is until the
// next. Whatever else the machine does, the generator uses all that it can have.
func TestAJudgeThatBurns(t *testing.T) {
	p := start(t, jobGenerate, 0)
	p.give(t, trial{PerS: 1000, Lasts: time.Second, JudgeBurns: 2 * time.Millisecond})
	wantReasons(t, p.facts(t), saysCPU)
}

// TestAStarvedGenerator: it has the lowest priority, and twice as many others
// spin as there are processors, for most of its load.
func TestAStarvedGenerator(t *testing.T) {
	generator := start(t, jobGenerate, 19)
	generator.give(t, trial{PerS: 500, Lasts: 1500 * time.Millisecond})
	spinning := make([]*process, 2*runtime.NumCPU())
	for i := range spinning {
		spinning[i] = start(t, jobSpin, 0)
	}
	wait(1200 * time.Millisecond)
	for _, p := range spinning {
		if err := p.stop(); err != nil {
			t.Fatal(err)
		}
	}
	o := generator.facts(t)
	// Starved all the more, it sends too few for a percentile.
	if reasons := o.reasons(); !says(reasons, saysDelay) && !says(reasons, saysOffered) {
		t.Errorf("neither late nor less: %q, %+v", reasons, o.facts)
	}
	if !o.facts.PressureKnown {
		t.Skip("this kernel does not tell the pressure on its processors")
	}
	// On shared cores it might be the measured, which is in the generator's process
	// here: the others are not.
	if !o.facts.OthersKnown || o.facts.OthersShare < evidence.SharedCores.OthersMax {
		t.Errorf("the others were not found: %+v", o.facts)
	}
	wantReasons(t, o, saysPressure)
	if own := evidence.OwnCores.Judge(o.facts); !says(own, saysPressure) {
		t.Errorf("no reason with %q among %q: %+v", saysPressure, own, o.facts)
	}
}

// TestTheMeasuredMayBeBusy: it keeps all processors busy by itself, which is for
// the latencies to show, and no reason.
func TestTheMeasuredMayBeBusy(t *testing.T) {
	server := start(t, jobStrain, 0)
	o := mustRun(t, trial{PerS: 200, Lasts: time.Second, elsewhere: server.line(t)})
	if !o.facts.PressureKnown {
		t.Skip("this kernel does not tell the pressure on its processors")
	}
	if f := o.facts; !f.OthersKnown || f.PressureShare <= evidence.SharedCores.PressureMax {
		t.Errorf("others are known: %v, with pressure %.2f", f.OthersKnown, f.PressureShare)
	}
	if f := o.facts; f.OthersShare > evidence.SharedCores.OthersMax {
		t.Skipf("others do keep the processors busy: %.0f %% of the machine", f.OthersShare*100)
	}
	wantNot(t, o, saysPressure)
}

// searchedBytes take some 10 to 40 ms to search, in a loop of assembly in which a
// goroutine cannot be stopped. They are never written to, so they are no memory.
const searchedBytes = 1 << 30

// longestAttempts bounds how often TestALongPause tries: the two goroutines have
// to meet.
const longestAttempts = 100

// TestALongPause: the collector stops all goroutines, and waits for one that is
// busy with something that cannot be interrupted.
func TestALongPause(t *testing.T) {
	if runtime.GOMAXPROCS(0) < 2 {
		defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(2))
	}
	done, ready := make(chan struct{}), make(chan struct{})
	var work sync.WaitGroup
	work.Go(func() {
		haystack := make([]byte, searchedBytes)
		bytes.IndexByte(haystack, 1) // The first search is as long as the pages take.
		close(ready)
		for {
			select {
			case <-done:
				return
			default:
				bytes.IndexByte(haystack, 1)
			}
		}
	})
	defer work.Wait()
	defer close(done)
	<-ready
	o := &outcome{}
	for range longestAttempts {
		watch, err := evidence.WatchSelf()
		if err != nil {
			t.Fatal(err)
		}
		runtime.GC()
		self, err := watch.Stop()
		if err != nil {
			t.Fatal(err)
		}
		o.facts = evidence.GatherLoad(&loadgen.Schedule{}, nil, loadgen.Summary{}, self, nil)
		if o.facts.GCPauseMaxMs > evidence.SharedCores.GCPauseMaxMs {
			break
		}
	}
	wantReasons(t, o, saysPause)
}
