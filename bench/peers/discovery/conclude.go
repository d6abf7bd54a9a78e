package discovery

import (
	"time"

	"breakbank/bench/machine"
	"breakbank/bench/result"
	"breakbank/bench/stats"
)

// What must hold (routing.md, "Speed of discovery").
const (
	lastUseLimitMs = 50
	ratioLimit     = 0.5
	memoryLimitMB  = 10
	// drainedLimitMs is when routers have kept up with the flood: what was
	// left at its end is less than a heartbeat.
	drainedLimitMs = 1000
)

// conclude makes the result of what was measured.
func conclude(o Options, m measured, environment result.Environment) *Result {
	r := &Result{
		Schema: 1, Kind: "peers", Scenario: "discovery", Seed: o.Seed, Partial: m.stopped != nil,
		Routers: o.Routers, Services: o.Services, Endpoints: o.Endpoints, ChangesPerS: o.ChangesPerS,
		Blocks: o.Blocks, DurationS: o.Duration.Seconds(), FloodS: o.Flood.Seconds(), Policies: o.Policies,
		Cells: []Cell{}, Floods: []Flood{}, Bars: []Bar{}, Environment: environment,
	}
	var spent machine.Time
	var ours time.Duration
	for _, k := range o.kinds {
		if samples := m.samples[k.name]; len(samples) > 0 {
			r.Cells = append(r.Cells, cellOf(k, samples))
			for _, s := range samples {
				spent = spent.Plus(s.machine)
				ours += s.followerCPU + s.registryCPU
			}
		}
		if s, ok := m.floods[k.name]; ok {
			r.Floods = append(r.Floods, floodOf(k, s))
		}
	}
	r.StealShare, r.OthersShare = spent.Steal(), spent.Others(ours)
	r.P99Ratio = ratioOf(m.samples[guarded], m.samples[informer])
	r.Bars = barsOf(r)
	r.InvalidReasons = invalid(r, m.stopped)
	r.Valid = len(r.InvalidReasons) == 0
	return r
}

func fromCommit(s sample) []float64 { return s.use.fromCommitMs }
func fromWrite(s sample) []float64  { return s.use.fromWriteMs }

func cellOf(k kind, samples []sample) Cell {
	all := func(of func(sample) float64) stats.Estimate {
		return stats.Bootstrap(len(samples), func(blocks []int) float64 { return mean(samples, blocks, of) })
	}
	c := Cell{
		Kind: k.name, About: k.about, Blocks: len(samples),
		LastUse: latencyOf(samples, fromCommit), FromWrite: latencyOf(samples, fromWrite),
		CPUUs:         all(sample.cpuUs),
		RegistryCPUMs: all(func(s sample) float64 { return s.registryCPU.Seconds() * 1e3 / float64(len(s.commits)) }),
		MemoryMB:      all(func(s sample) float64 { return s.memoryBytes / 1e6 }),
	}
	published, told := 0, 0
	for _, s := range samples {
		c.Changes += len(s.commits)
		c.Unseen += s.use.unseen
		c.Early += s.use.early
		c.Warnings += s.extra.warnings
		c.DirectReads += s.extra.direct
		published += s.published
		told += len(s.commits) * s.followers
	}
	c.EntriesPerChange = float64(published) / float64(told)
	if c.LastUse.P99 != nil {
		p99 := stats.Bootstrap(len(samples), func(blocks []int) float64 { return quantile(0.99, samples, blocks, fromCommit) })
		c.P99 = &p99
	}
	return c
}

// cpuUs is one follower's processor time for one change.
func (s sample) cpuUs() float64 {
	return s.followerCPU.Seconds() * 1e6 / float64(len(s.commits)*s.followers)
}

func latencyOf(samples []sample, of func(sample) []float64) Latency {
	blocks := make([]int, len(samples))
	count := 0
	for i := range blocks {
		blocks[i] = i
		count += len(of(samples[i]))
	}
	var l Latency
	at := func(q float64) *float64 {
		value := quantile(q, samples, blocks, of)
		return &value
	}
	if count > 0 {
		l.P50, l.Max = at(0.5), at(1)
	}
	if count >= tailSamples {
		l.P99 = at(0.99)
	}
	return l
}

func floodOf(k kind, s sample) Flood {
	f := Flood{
		Kind: k.name, Routers: s.followers, Changes: len(s.commits), LastUse: latencyOf([]sample{s}, fromCommit),
		DrainedMs: s.drainedMs, Conflated: float64(s.extra.conflated) / float64(s.followers), CPUUs: s.cpuUs(), Unseen: s.use.unseen,
	}
	var first, last int64
	for i, c := range s.commits {
		if i == 0 {
			first = c.Due
		}
		last = max(last, c.Committed)
	}
	if last > first {
		f.RatePerS = float64(len(s.commits)) / (float64(last-first) / 1e9)
	}
	return f
}

// ratioOf compares p99s, block against the same block.
func ratioOf(above, below []sample) *stats.Estimate {
	n := min(len(above), len(below))
	for i := range n {
		if len(fromCommit(above[i])) == 0 || len(fromCommit(below[i])) == 0 {
			return nil
		}
	}
	if n == 0 {
		return nil
	}
	e := stats.Bootstrap(n, func(blocks []int) float64 {
		return quantile(0.99, above, blocks, fromCommit) / quantile(0.99, below, blocks, fromCommit)
	})
	return &e
}

func barsOf(r *Result) []Bar {
	bars := []Bar{}
	for _, c := range r.Cells {
		if c.Kind != guarded {
			continue
		}
		if c.P99 != nil {
			bars = append(bars, bar("commit to last use, p99", *c.P99, "ms", lastUseLimitMs))
		}
		if r.P99Ratio != nil {
			bars = append(bars, bar("the same, as a multiple of the informer's", *r.P99Ratio, "×", ratioLimit))
		}
		bars = append(bars,
			bar("memory of one router", c.MemoryMB, "MB", memoryLimitMB),
			bar("entries touched by a change", exact(c.EntriesPerChange), "", 1))
	}
	for _, f := range r.Floods {
		if f.Kind == guarded {
			bars = append(bars, bar("flood: the last change is everywhere after", exact(f.DrainedMs), "ms", drainedLimitMs))
		}
	}
	return bars
}

// exact is a figure that is not a sample of anything.
func exact(value float64) stats.Estimate {
	return stats.Estimate{Value: value, Low: value, High: value}
}
