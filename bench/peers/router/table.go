package peers

import (
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"

	"breakbank/bench/peers/comparison"
	"breakbank/bench/peers/router/driver"
	"breakbank/bench/result"
	"breakbank/bench/stats"
)

// keptUpMin is the share of a paced load that must come back within the window
// for a peer to have kept up. What is under way at both edges may differ by a
// little.
const keptUpMin = 0.98

// table holds samples, by cell and block, and sums of them. One goroutine uses
// it.
type table struct {
	*comparison.Table[cell, sample]
	times map[cell]times
}

// times are the latencies of all samples of a cell.
type times struct{ response, sendDelay *hdrhistogram.Histogram }

func newTable() *table {
	return &table{Table: comparison.NewTable[cell, sample](), times: map[cell]times{}}
}

// add takes a sample in. Its histograms are merged into the cell's and not kept:
// there are hundreds of samples, and each has a megabyte of them.
func (t *table) add(s sample) {
	if !t.Has(s.cell) {
		t.times[s.cell] = times{driver.NewHistogram(), driver.NewHistogram()}
	}
	t.times[s.cell].response.Merge(s.driver.Response)
	t.times[s.cell].sendDelay.Merge(s.driver.SendDelay)
	s.p50, s.p99 = quantileOf(s.driver.Response, 0.5), quantileOf(s.driver.Response, 0.99)
	s.driver.Response, s.driver.Service, s.driver.SendDelay = nil, nil, nil
	t.Add(s.cell, s.block, s, s.machine, s.peer+s.echo+s.own)
}

// conclude sums a cell up.
func (t *table) conclude(c cell) Cell {
	out := Cell{Case: c.of.Name, Peer: c.peer, Errors: map[string]int64{}}
	var rates, cpu []float64
	var echo, own time.Duration
	var due, unsent int64
	for _, s := range t.Of(c) {
		out.Blocks++
		out.Requests += s.driver.Done
		out.Failed += s.driver.Failed
		out.Unanswered += s.driver.Unanswered
		for what, n := range s.driver.Errors {
			out.Errors[what] += n
		}
		due += s.driver.Due
		unsent += s.driver.Unsent
		rates = append(rates, float64(s.driver.Done)/s.window.Seconds())
		cpu = append(cpu, microsecondsEach(s.peer, s.driver.Done))
		echo += s.echo
		own += s.own
	}
	out.KeptUp = unsent == 0 && float64(out.Requests) >= keptUpMin*float64(due)
	out.RatePerS = stats.Mean(rates)
	out.EchoCPUUs, out.DriverCPUUs = microsecondsEach(echo, out.Requests), microsecondsEach(own, out.Requests)
	out.SendDelayP99Ms = quantileOf(t.times[c].sendDelay, 0.99).ms
	if c.peer != direct {
		e := stats.Mean(cpu)
		out.CPUUs = &e
		out.ToHAProxy, out.ToRelay = t.cpuRatio(c, haproxy), t.cpuRatio(c, relay)
	}
	if out.KeptUp {
		out.LatencyMs = latency(t.times[c].response)
		out.AddedP50Ms, out.AddedP99Ms = t.added(c, median), t.added(c, tail)
	}
	return out
}

// cpuRatio is a cell's processor time a request as a multiple of that of
// another peer under the same case, nil if that was not measured.
func (t *table) cpuRatio(c cell, to string) *stats.Estimate {
	return t.Ratio(c, cell{of: c.of, peer: to}, func(s sample) float64 { return microsecondsEach(s.peer, s.driver.Done) })
}

// added estimates by how much a quantile is above that of direct.
func (t *table) added(c cell, of func(sample) quantile) *stats.Estimate {
	values := t.addedEach(c, of)
	if len(values) == 0 {
		return nil
	}
	var list []float64
	for block := range comparison.BlocksMax {
		if v, there := values[block]; there {
			list = append(list, v)
		}
	}
	e := stats.Mean(list)
	return &e
}

// addedEach is by how much a quantile is above that of direct, by block, where
// both have the samples for it.
func (t *table) addedEach(c cell, of func(sample) quantile) map[int]float64 {
	values := map[int]float64{}
	if c.peer == direct {
		return values
	}
	t.Pairs(c, cell{of: c.of, peer: direct}, func(block int, through, past sample) {
		if a, b := of(through), of(past); a.enough && b.enough {
			values[block] = a.ms - b.ms
		}
	})
	return values
}

// The quantiles of a sample that are compared.
func median(s sample) quantile { return s.p50 }
func tail(s sample) quantile   { return s.p99 }

// latency is the quantiles that there are enough samples for.
func latency(h *hdrhistogram.Histogram) result.Latency {
	var l result.Latency
	for _, q := range []struct {
		at   float64
		into **float64
	}{{0.5, &l.P50}, {0.9, &l.P90}, {0.99, &l.P99}, {0.999, &l.P999}} {
		if found := quantileOf(h, q.at); found.enough {
			*q.into = &found.ms
		}
	}
	if h.TotalCount() > 0 {
		longest := milliseconds(h.Max())
		l.Max = &longest
	}
	return l
}
