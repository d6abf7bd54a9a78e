package sim

import (
	"math"
	"time"

	"breakbank/platform/router/balance"
)

// queueMax is how many requests an instance holds before it refuses more: of
// the order of a listener's backlog (Linux, net.core.somaxconn 4096; Go asks
// for that), so that a queue has an end even where patience has none.
const queueMax = 4096

// instance is a server of the service.
type instance struct {
	station
	id string

	// scheduled is when its next departure is planned for, and generation
	// which plan is the valid one.
	scheduled  time.Duration
	generation uint32

	capacity float64 // of an ordinary instance's
	slow     float64 // factor of service times; 1 is none
	failing  bool    // answers with an error, in no time
	gone     bool    // does not exist any more
	cold     bool    // was cold when it joined
	joined   time.Duration

	watched bool
	picked  int // in the measured window
	meter   meter
}

// Constants of what instances do under scenarios.
const (
	// failingTakes is the share of a service time that an error takes.
	failingTakes = 0.1
	// A process that has just started takes coldFactor times as long for a
	// request, with empty caches and uncompiled paths, and ever less until it
	// is warm after coldFor. (Ours.)
	coldFactor = 2.5
	coldFor    = 6 * time.Second
)

// takes is how long a piece of work takes a worker of this instance now.
func (i *instance) takes(now, work time.Duration) time.Duration {
	factor := i.slow / i.capacity
	if age := now - i.joined; i.cold && age < coldFor {
		factor *= coldFactor - (coldFactor-1)*float64(age)/float64(coldFor)
	}
	if i.failing {
		factor *= failingTakes
	}
	return time.Duration(float64(work) * factor)
}

// meterDecay is over what time an instance measures itself: the reporting
// period of ORCA out of band (gRFC A58, oob_reporting_period 10 s) is an
// average over the past 10 s, this fades with half of that as time constant.
const meterDecay = 5 * time.Second

// meter is what an instance knows of itself: moving averages.
type meter struct {
	done, failed, workedNs float64 // fading counts
	stamp                  time.Duration
	// latencies are by how many requests were there when one came. Prequal's
	// servers answer probes so, for the load they have at that moment (with
	// medians; these are moving averages). One average over all loads would
	// call an instance slow that was busy once and is idle, and send everybody
	// to one that was idle and is busy.
	latencies [latencyLevels]lately
}

// lately is a moving average that is worth something only while it is fresh.
type lately struct {
	ns    float64
	stamp time.Duration
}

const (
	// latencyLevels is how many numbers of requests in flight are told apart.
	latencyLevels = 64
	// latencyGain is the weight of the latest answer: as TCP smooths its round
	// trip times (RFC 6298, alpha 1/8).
	latencyGain = 1.0 / 8
	// latencyKept is how long a latency counts as recent. An instance that was
	// slow and has been left alone says then that it knows of none. (Ours.)
	latencyKept = meterDecay
)

// note counts a request that found so many others and now ends.
func (m *meter) note(now, worked, took time.Duration, found int, failed bool) {
	m.fade(now)
	m.done++
	m.workedNs += float64(worked)
	if failed {
		m.failed++
	}
	l := &m.latencies[min(found, latencyLevels-1)]
	if !l.fresh(now) {
		l.ns = float64(took)
	}
	l.ns += latencyGain * (float64(took) - l.ns)
	l.stamp = now
}

func (l *lately) fresh(now time.Duration) bool { return l.ns > 0 && now-l.stamp < latencyKept }

func (m *meter) fade(now time.Duration) {
	w := math.Exp(-float64(now-m.stamp) / float64(meterDecay))
	m.done, m.failed, m.workedNs, m.stamp = m.done*w, m.failed*w, m.workedNs*w, now
}

// latency is what a request that finds so many others may expect, by the
// nearest number that has been seen lately; 0 if none has.
func (m *meter) latency(now time.Duration, found int) time.Duration {
	found = min(found, latencyLevels-1)
	for away := range latencyLevels {
		for _, level := range [...]int{found - away, found + away} {
			if level >= 0 && level < latencyLevels && m.latencies[level].fresh(now) {
				return time.Duration(m.latencies[level].ns)
			}
		}
	}
	return 0
}

// report is what the instance says of itself now (ORCA).
func (i *instance) report(now time.Duration, workers int) balance.Load {
	m := &i.meter
	m.fade(now)
	return balance.Load{
		QPS:         m.done / meterDecay.Seconds(),
		EPS:         m.failed / meterDecay.Seconds(),
		Utilization: m.workedNs / float64(meterDecay) / float64(workers),
		InFlight:    i.load(),
	}
}
