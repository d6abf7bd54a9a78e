package loadgen

import (
	"math"
	"slices"
	"time"

	"breakbank/bench/peers/comparison"
	"breakbank/bench/stats"
)

// table holds samples, by cell and block. One goroutine uses it.
type table struct {
	*comparison.Table[cell, *sample]
}

// ours is what the run itself used meanwhile.
func (s *sample) ours() time.Duration { return s.generator + s.server + s.own }

func newTable() *table { return &table{comparison.NewTable[cell, *sample]()} }

// add takes a sample in.
func (t *table) add(s sample) { t.Add(s.cell, s.block, &s, s.machine, s.ours()) }

// mean estimates the mean of a figure of a cell, nil if no sample has it.
func (t *table) mean(c cell, of func(*sample) (float64, bool)) *stats.Estimate {
	var list []float64
	for _, s := range t.Of(c) {
		if v, there := of(s); there {
			list = append(list, v)
		}
	}
	if len(list) == 0 {
		return nil
	}
	e := stats.Mean(list)
	return &e
}

// cpuRatio is a cell's processor time a request as a multiple of that of another
// generator under the same case, block against the same block; nil if that was
// not measured.
func (t *table) cpuRatio(c cell, to string) *stats.Estimate {
	return t.Ratio(c, cell{c.of, to}, (*sample).cpuUs)
}

// Figures of samples, for mean.
func rate(s *sample) (float64, bool) { return s.ratePerS(), true }
func cpu(s *sample) (float64, bool)  { return s.cpuUs(), true }

// offered, stray and sendDelay are known of breakbank at a rate.
func offered(s *sample) (float64, bool) {
	return ofSchedule(s, func(t *Told) (float64, bool) { return t.OfferedShare, true })
}

func stray(s *sample) (float64, bool) {
	return ofSchedule(s, func(t *Told) (float64, bool) { return t.StrayD, true })
}

func sendDelay(name string) func(*sample) (float64, bool) {
	return func(s *sample) (float64, bool) {
		return ofSchedule(s, func(t *Told) (float64, bool) {
			ms, there := t.SendDelayMs[name]
			return ms, there
		})
	}
}

func ofSchedule(s *sample, figure func(*Told) (float64, bool)) (float64, bool) {
	if s.told == nil || s.told.ScheduleSHA256 == "" {
		return 0, false
	}
	return figure(s.told)
}

// off is of a truth.
func off(s *sample) (float64, bool) { return s.truth.off(s.told) }

// cost sums a cell up in which processor time was read.
func (t *table) cost(c cell) Cost {
	out := Cost{Case: c.of, Generator: c.generator}
	var used time.Duration
	for _, s := range t.Of(c) {
		out.Blocks++
		out.Requests += s.calls
		used += s.server
		if s.told != nil {
			if out.Failed += s.told.Failed; s.told.Failed > 0 {
				out.MostFailed = s.told.MostFailed
			}
		}
	}
	out.RatePerS, out.CPUUs = *t.mean(c, rate), *t.mean(c, cpu)
	out.ServerCPUUs = microsecondsEach(used, out.Requests)
	out.ToGhz, out.ToH2load = t.cpuRatio(c, ghz), t.cpuRatio(c, h2load)
	out.OfferedShare, out.StrayD = t.mean(c, offered), t.mean(c, stray)
	out.SendDelayP50Ms, out.SendDelayP99Ms = t.mean(c, sendDelay("p50")), t.mean(c, sendDelay("p99"))
	return out
}

// report sums a cell up whose truth is known.
func (t *table) report(c cell) Report {
	out := Report{Case: c.of, Generator: c.generator, Off: t.mean(c, off)}
	list := t.Of(c)
	out.Blocks = len(list)
	var scheduled, calls, truthFailed, reportedFailed []float64
	var truths, reports, served []Latency
	for _, s := range list {
		scheduled, calls = append(scheduled, float64(s.truth.scheduled)), append(calls, float64(s.told.Calls))
		if s.truth.fails {
			truthFailed = append(truthFailed, s.truth.failures)
			reportedFailed = append(reportedFailed, float64(s.told.Failed)/float64(max(1, s.told.Calls)))
			continue
		}
		truths, reports, served = append(truths, s.truth.latency), append(reports, s.told.LatencyMs), append(served, s.truth.served)
		for _, name := range s.truth.decided {
			if !slices.Contains(out.Decided, name) {
				out.Decided = append(out.Decided, name)
			}
		}
	}
	out.Scheduled, out.Calls = plainMean(scheduled), plainMean(calls)
	if len(truthFailed) > 0 {
		a, b := plainMean(truthFailed), plainMean(reportedFailed)
		out.TruthFailed, out.ReportedFailed = &a, &b
	}
	out.TruthMs, out.ReportedMs, out.ServedMs = meanLatency(truths), meanLatency(reports), meanLatency(served)
	return out
}

// meanLatency is quantile by quantile the mean of those that all have.
func meanLatency(all []Latency) Latency {
	if len(all) == 0 {
		return nil
	}
	out := Latency{}
	for _, q := range quantiles {
		var values []float64
		for _, l := range all {
			if ms, there := l[q.name]; there {
				values = append(values, ms)
			}
		}
		if len(values) == len(all) {
			out[q.name] = math.Round(plainMean(values)*1e3) / 1e3
		}
	}
	return out
}

func plainMean(values []float64) float64 {
	sum := 0.0
	for _, v := range values {
		sum += v
	}
	return sum / float64(max(1, len(values)))
}
