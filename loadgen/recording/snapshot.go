package recording

import (
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"breakbank/loadgen"

	"github.com/HdrHistogram/hdrhistogram-go"
)

// Snapshot is what a Recorder has kept: every figure of a load or of a worker's
// part of it. It can be written down, read back, and merged with the snapshots
// of other workers; what comes of that is what one Recorder for all of them would
// have kept. The zero Snapshot is one of nothing. Not safe for concurrent use
// while it is merged into or read back.
type Snapshot struct {
	names  []string
	phases []Phase
	goodNs int64 // the objective of what is good, 0 without
	// cells are by phase, then by journey, as in a Recorder.
	cells                  []packedCell
	retries                Tally
	retryTimes             packed
	codes, classes, routes bounded
	attempts, messages     int64
	seconds                int // how many there are
	counts                 secondCounts
	series, log            spans
}

// packedCell is a journey in a phase.
type packedCell struct {
	tallies
	times [clockCount]packed
}

// Merge adds what another snapshot holds, which stays as it is. In whatever order
// snapshots are merged, the result is the same. They must be of the same
// journeys and phases, unless one of them is of nothing.
func (s *Snapshot) Merge(o *Snapshot) error {
	switch {
	case len(o.names) == 0:
		return nil
	case len(s.names) == 0:
		s.start(o.names, o.phases, o.goodNs)
	case !slices.Equal(s.names, o.names):
		return fmt.Errorf("merge recordings: one is of the journeys %s, the other of %s",
			strings.Join(s.names, ", "), strings.Join(o.names, ", "))
	case !slices.Equal(s.phases, o.phases):
		return errors.New("merge recordings: their phases are not the same")
	case s.goodNs != o.goodNs:
		return fmt.Errorf("merge recordings: one has an objective of %v, the other of %v", time.Duration(s.goodNs), time.Duration(o.goodNs))
	}
	for i := range s.cells {
		mine, theirs := &s.cells[i], &o.cells[i]
		mine.add(&theirs.tallies)
		for c := range mine.times {
			mine.times[c] = mergePacked(mine.times[c], theirs.times[c])
		}
	}
	s.retries.merge(o.retries)
	s.retryTimes = mergePacked(s.retryTimes, o.retryTimes)
	s.codes.merge(&o.codes)
	s.classes.merge(&o.classes)
	s.routes.merge(&o.routes)
	s.attempts, s.messages = addUpTo(s.attempts, o.attempts), addUpTo(s.messages, o.messages)
	s.seconds = max(s.seconds, o.seconds)
	s.counts.merge(&o.counts)
	series, log := o.series.clone(), o.log.clone()
	s.series.merge(&series)
	s.log.merge(&log)
	return nil
}

// start makes it an empty snapshot of journeys, phases and an objective.
func (s *Snapshot) start(names []string, phases []Phase, goodNs int64) {
	*s = Snapshot{
		names: names, phases: phases, goodNs: goodNs, cells: make([]packedCell, (len(phases)+1)*len(names)),
		codes: newBounded(codesMax), classes: newBounded(classesMax), routes: newBounded(routesMax),
		counts: secondCounts{journeys: len(names)},
		series: newSpans(seriesParts, len(names)), log: newSpans(logParts, len(names)*clockCount),
	}
}

// Journeys are the names of the journeys, in the order of their indices.
func (s *Snapshot) Journeys() []string { return slices.Clone(s.names) }

// Totals are the figures of the whole, over all phases. scheduled is of the
// runner's summary, since an interrupted load has records of fewer; lasted is the
// time over which journeys were due.
func (s *Snapshot) Totals(scheduled int64, lasted time.Duration) Totals {
	t := Totals{Scheduled: scheduled, Errors: s.codes.table(), Routes: s.routes.table()}
	var all tallies
	for i := range s.cells {
		all.add(&s.cells[i].tallies)
	}
	of := all.tally()
	t.Sent, t.Done = all.sent, all.sent
	t.OK, t.Degraded, t.Declined, t.Failed, t.Unknown = of.OK, of.Degraded, of.Declined, of.Failed, of.Unknown
	if lasted > 0 {
		t.RatePerS = float64(t.Sent) / lasted.Seconds()
	}
	t.LatencyMs = quantilesOfPacked(s.overall(Response), 0)
	t.ServiceMs = quantilesOfPacked(s.overall(Service), 0)
	t.SendDelayMs = quantilesOfPacked(s.overall(SendDelay), 0)
	return t
}

func (s *Snapshot) overall(c Clock) (all packed) {
	for i := range s.cells {
		all = mergePacked(all, s.cells[i].times[c])
	}
	return all
}

func (s *Snapshot) of(c Clock, j loadgen.Journey) (all packed) {
	for i := int(j); i < len(s.cells); i += len(s.names) {
		all = mergePacked(all, s.cells[i].times[c])
	}
	return all
}

// Overall is a new histogram of all journeys and phases, in nanoseconds.
func (s *Snapshot) Overall(c Clock) *hdrhistogram.Histogram { return s.overall(c).histogram() }

// Histogram is a new histogram of one journey over all phases, in nanoseconds.
func (s *Snapshot) Histogram(c Clock, j loadgen.Journey) *hdrhistogram.Histogram {
	return s.of(c, j).histogram()
}

// Quantiles are those of one journey over all phases.
func (s *Snapshot) Quantiles(c Clock, j loadgen.Journey) Quantiles {
	return quantilesOfPacked(s.of(c, j), 0)
}

// Tally counts a journey's outcomes over all phases.
func (s *Snapshot) Tally(j loadgen.Journey) Tally {
	var all tallies
	for i := int(j); i < len(s.cells); i += len(s.names) {
		all.add(&s.cells[i].tallies)
	}
	return all.tally()
}

// Phases are the figures of the phases, as ByPhase has them. What lies in no
// phase is in none.
func (s *Snapshot) Phases() []PhaseFigures {
	figures := make([]PhaseFigures, len(s.phases))
	for p := range figures {
		figures[p] = PhaseFigures{Phase: s.phases[p], Journeys: make([]JourneyFigures, len(s.names))}
		for j := range s.names {
			c, f := &s.cells[p*len(s.names)+j], &figures[p].Journeys[j]
			f.Tally, f.Good, f.Scheduled, f.Sent = c.tally(), c.good, c.scheduled, c.sent
			for clock, q := range f.latencies() {
				*q = quantilesOfPacked(c.times[clock], 0)
			}
		}
	}
	return figures
}

// Seconds are the seconds from the run's origin to the latest one that anything
// was intended or decided in.
func (s *Snapshot) Seconds() []SecondFigures {
	figures := make([]SecondFigures, 0, s.seconds)
	for _, p := range s.series.parts() {
		for second := p.from; second < min(p.from+p.lasts, s.seconds); second++ {
			figures = append(figures, figuresOf(second, s.counts.second(second), p.of, p.lasts))
		}
	}
	for second := len(figures); second < s.seconds; second++ {
		figures = append(figures, figuresOf(second, s.counts.second(second), make([]packed, len(s.names)), 1))
	}
	return figures
}

// figuresOf are the figures of a second; times are response times of the series,
// taken over so many seconds.
func figuresOf(index int, counts []tallies, times []packed, spanS int) Second {
	s := newSecond(index, len(counts))
	s.LatencyMs, s.LatencySpanS = make([]Quantiles, len(counts)), spanS
	var all packed
	for j := range counts {
		s.Scheduled[j], s.Sent[j] = counts[j].scheduled, counts[j].sent
		s.Outcomes[j], s.Good[j] = counts[j].outcomes, counts[j].good
		s.LatencyMs[j] = quantilesOfPacked(times[j], seriesCoarser)
		all = mergePacked(all, times[j])
	}
	s.OverallMs = quantilesOfPacked(all, seriesCoarser)
	return s
}

// Good is how many journeys ended ok or declined, and within the objective of
// the recorder if it had one.
func (s *Snapshot) Good() (good int64) {
	for i := range s.cells {
		good = addUpTo(good, s.cells[i].good)
	}
	return good
}

// Errors counts failed and unknown journeys by class; those beyond 256 classes
// are in the class "other".
func (s *Snapshot) Errors() map[Class]int64 {
	classes := make(map[Class]int64, len(s.classes.entries)+1)
	for name, e := range s.classes.entries {
		classes[classOf(name)] += e.count
	}
	if s.classes.other > 0 {
		classes[Class{Code: other}] += s.classes.other
	}
	return classes
}

// Routes counts sent journeys by the route that they were answered over.
func (s *Snapshot) Routes() map[string]int64 { return s.routes.table() }

// Attempts sums the attempts that hops reported, retries within the measured
// system included.
func (s *Snapshot) Attempts() int64 { return s.attempts }

// Messages sums the messages of streams that came back.
func (s *Snapshot) Messages() int64 { return s.messages }

// Retries counts the customers' tries beyond the first, which are in nothing
// else but RetryTimes.
func (s *Snapshot) Retries() Tally { return s.retries }

// RetryTimes are the response times of retries, each from when it was due.
func (s *Snapshot) RetryTimes() *hdrhistogram.Histogram { return s.retryTimes.histogram() }

// WriteSeries writes the series as the function WriteSeries does.
func (s *Snapshot) WriteSeries(w io.Writer) error {
	return writeSeconds(w, s.Seconds(), s.names)
}
