package strategies

import (
	"cmp"
	"math"
	"slices"
	"time"

	"breakbank/bench/sim"
	"breakbank/bench/stats"
)

// replicate is what is kept of a run.
type replicate struct {
	run, requests  int
	p50, p99, p999 *float64 // ms, in the measured window; nil if too few requests tell
	failed         float64  // share of the window's requests
	maxToMean, cv  float64  // of the load of the instances
	watched        float64  // share of the watched, in multiples of an equal one
	equalShare     float64  // of all instances, that the watched are: by a seed's draw
	ends           [sim.Fates]int
	buckets        []counts
}

// counts is a bucket without its latencies.
type counts struct{ arrived, watched, hurt int }

// cell is the runs of a strategy under a scenario. They may be added in any
// order.
type cell struct {
	replicates []replicate
	pooled     []sim.Bucket // the buckets of all runs together
}

func (c *cell) add(run int, o *sim.Outcome, s sim.Scenario) {
	r := replicate{run: run, requests: o.Arrived, ends: o.Ends, equalShare: o.EqualShare}
	if c.pooled == nil {
		c.pooled = make([]sim.Bucket, len(o.Buckets))
	}
	var window sim.Bucket
	for i := range o.Buckets {
		b := &o.Buckets[i]
		if begins := time.Duration(i) * sim.BucketLength; begins >= s.From && begins < s.To {
			window.Add(b)
		}
		c.pooled[i].Add(b)
		r.buckets = append(r.buckets, counts{b.Arrived, b.Watched, b.Hurt})
	}
	r.p50, r.p99, r.p999 = quantileMs(&window, 0.5), quantileMs(&window, 0.99), quantileMs(&window, 0.999)
	if window.Arrived > 0 {
		r.failed = float64(window.Failed) / float64(window.Arrived)
		r.watched = float64(window.Watched) / float64(window.Arrived) / o.EqualShare
	}
	r.maxToMean, r.cv = spread(o.Loads)
	c.replicates = append(c.replicates, r)
	slices.SortFunc(c.replicates, func(a, b replicate) int { return cmp.Compare(a.run, b.run) })
}

// equalShare is the mean over the runs.
func (c *cell) equalShare() float64 {
	sum := 0.0
	for i := range c.replicates {
		sum += c.replicates[i].equalShare
	}
	return sum / float64(len(c.replicates))
}

func quantileMs(b *sim.Bucket, q float64) *float64 {
	d, ok := b.Latency.Quantile(q)
	if !ok {
		return nil
	}
	ms := float64(d) / float64(time.Millisecond)
	return &ms
}

// spread is how unequal loads are: the greatest for the mean, and the
// coefficient of variation; zeros without load.
func spread(loads []float64) (maxToMean, cv float64) {
	sum, most, squares := 0.0, 0.0, 0.0
	for _, l := range loads {
		sum += l
		most = max(most, l)
	}
	if sum == 0 {
		return 0, 0
	}
	mean := sum / float64(len(loads))
	for _, l := range loads {
		squares += (l - mean) * (l - mean)
	}
	return most / mean, math.Sqrt(squares/float64(len(loads))) / mean
}

// estimate is the mean of a figure over the runs; nil if one of them has none.
func (c *cell) estimate(of func(r *replicate) *float64) *stats.Estimate {
	values := make([]float64, len(c.replicates))
	for i := range c.replicates {
		v := of(&c.replicates[i])
		if v == nil {
			return nil
		}
		values[i] = *v
	}
	e := stats.Mean(values)
	return &e
}

func (c *cell) mean(of func(r *replicate) float64) stats.Estimate {
	return *c.estimate(func(r *replicate) *float64 { v := of(r); return &v })
}

// against is the ratio of p99 to that of another cell, over the runs that both
// have, each against the run with the same requests; nil if one lacks it.
func (c *cell) against(other *cell) *stats.Estimate {
	var above, below []float64
	for _, r := range c.replicates {
		for _, o := range other.replicates {
			if r.run == o.run && r.p99 != nil && o.p99 != nil {
				above, below = append(above, *r.p99), append(below, *o.p99)
			}
		}
	}
	if len(above) == 0 {
		return nil
	}
	e := stats.Ratio(above, below)
	return &e
}

// recoveredShare is the share of all requests that the watched instances may
// hurt for the service to count as recovered; or half of what an equal share
// of the traffic would let them hurt, if that is less.
const recoveredShare = 0.01

// recovery is how long after the harm the watched instances stopped hurting:
// from then to the end of the run, each second, fewer than recoveredShare of
// all requests were sent to them and failed or took longer than the objective
// (bench/sim). 0: they never did. nil: they still did at the end, or nothing
// happened at a moment. Resamples in which they still did count as long as the
// run went on, so that the interval's upper end may be too low.
func (c *cell) recovery(s sim.Scenario) *stats.Estimate {
	if s.Harm == 0 {
		return nil
	}
	limit := min(recoveredShare, c.equalShare()/2)
	harmed := int(s.Harm / sim.BucketLength)
	ends := len(c.pooled)
	statistic := func(replicates []int) float64 {
		for i := ends - 1; i >= harmed; i-- {
			arrived, hurt := 0, 0
			for _, r := range replicates {
				b := c.replicates[r].buckets[i]
				arrived, hurt = arrived+b.arrived, hurt+b.hurt
			}
			if float64(hurt) > limit*float64(arrived) {
				return float64(i+1-harmed) * sim.BucketLength.Seconds()
			}
		}
		return 0
	}
	e := stats.Bootstrap(len(c.replicates), statistic)
	if e.Value >= float64(ends-harmed)*sim.BucketLength.Seconds() {
		return nil
	}
	return &e
}
