package recording

import (
	"slices"

	"breakbank/loadgen"
)

// tallies count the journeys of a kind in some time. Scheduled and sent are what
// was intended in it, good and outcomes what was decided in it.
type tallies struct {
	scheduled, sent, good int64
	outcomes              [loadgen.OutcomeCount]int64
}

func (t *tallies) add(o *tallies) {
	t.scheduled = addUpTo(t.scheduled, o.scheduled)
	t.sent = addUpTo(t.sent, o.sent)
	t.good = addUpTo(t.good, o.good)
	for i := range t.outcomes {
		t.outcomes[i] = addUpTo(t.outcomes[i], o.outcomes[i])
	}
}

// tally is the outcomes under their names.
func (t *tallies) tally() Tally {
	o := &t.outcomes
	return Tally{
		Offered: o[loadgen.OK] + o[loadgen.Degraded] + o[loadgen.Declined] + o[loadgen.Failed] + o[loadgen.Unknown],
		OK:      o[loadgen.OK], Degraded: o[loadgen.Degraded], Declined: o[loadgen.Declined],
		Failed: o[loadgen.Failed], Unknown: o[loadgen.Unknown],
	}
}

// chunkSeconds is how many seconds of counts are allocated together: growing by
// chunks never copies what is there.
const chunkSeconds = 64

// secondCounts are tallies by second and journey, 72 bytes each.
type secondCounts struct {
	journeys int
	chunks   [][]tallies
}

// reach makes room up to a second.
func (c *secondCounts) reach(second int) {
	for len(c.chunks)*chunkSeconds <= second {
		c.chunks = append(c.chunks, make([]tallies, chunkSeconds*c.journeys))
	}
}

// at is the tallies of a second within reach.
func (c *secondCounts) at(second, journey int) *tallies {
	return &c.chunks[second/chunkSeconds][second%chunkSeconds*c.journeys+journey]
}

// second is the tallies of a second by journey.
func (c *secondCounts) second(second int) []tallies {
	from := second % chunkSeconds * c.journeys
	return c.chunks[second/chunkSeconds][from : from+c.journeys]
}

// clone copies what may still change, the seconds from first on, and shares the
// rest.
func (c *secondCounts) clone(first int) secondCounts {
	copied := secondCounts{journeys: c.journeys, chunks: slices.Clone(c.chunks)}
	for i := first / chunkSeconds; i < len(copied.chunks); i++ {
		copied.chunks[i] = slices.Clone(copied.chunks[i])
	}
	return copied
}

// merge adds other counts, without changing what is shared.
func (c *secondCounts) merge(o *secondCounts) {
	for i, theirs := range o.chunks {
		if i == len(c.chunks) {
			c.chunks = append(c.chunks, theirs)
			continue
		}
		sum := slices.Clone(c.chunks[i])
		for k := range sum {
			sum[k].add(&theirs[k])
		}
		c.chunks[i] = sum
	}
}
