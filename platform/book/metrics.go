package book

import (
	"math/bits"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

const (
	// Commits are counted in buckets that double: from commitFirst, under what
	// the fastest disks take to sync, to 8.192 s, and by entries from 1 to
	// maxGroup.
	commitFirst   = 125 * time.Microsecond
	commitBuckets = 18
	groupBuckets  = 11
)

// commitCounts counts the groups that a store has made durable. Only the
// committer adds; anybody may read.
type commitCounts struct {
	took     [commitBuckets]atomic.Int64
	entries  [groupBuckets]atomic.Int64
	tookNs   atomic.Int64
	entriesN atomic.Int64
}

// add counts a group: how many entries the journal got, and how long writing
// and syncing it took.
func (c *commitCounts) add(entries int64, took time.Duration) {
	c.took[bucket(uint64(max(0, took-1)/commitFirst), commitBuckets)].Add(1)
	c.entries[bucket(uint64(max(0, entries-1)), groupBuckets)].Add(1)
	c.tookNs.Add(int64(took))
	c.entriesN.Add(entries)
}

// bucket i of n ends at first·2^i, for what counts whole firsts beyond the
// bounds of those before; the last has no end.
func bucket(whole uint64, n int) int { return min(bits.Len64(whole), n-1) }

// NewCollector returns the metrics of stores, by name. It asks for them at each
// scrape, from any goroutine; none are fine.
func NewCollector(stores func() map[string]*Pebble) prometheus.Collector {
	desc := func(name, help string) *prometheus.Desc {
		return prometheus.NewDesc("bb_book_"+name, help, []string{"store"}, nil)
	}
	return &collector{
		stores:    stores,
		commit:    desc("commit_duration_seconds", "Writing and syncing one group of operations."),
		group:     desc("commit_entries", "Journal entries of one group."),
		waiting:   desc("commit_waiting", "Requests that wait for the next group."),
		journal:   desc("journal_sequence", "Durable end of the journal."),
		published: desc("published_sequence", "Journal entry up to which the events are known to have it."),
		disk:      desc("disk_bytes", "What the store takes on disk."),
	}
}

type collector struct {
	stores func() map[string]*Pebble

	commit, group, waiting, journal, published, disk *prometheus.Desc
}

func (c *collector) Describe(to chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{c.commit, c.group, c.waiting, c.journal, c.published, c.disk} {
		to <- d
	}
}

func (c *collector) Collect(to chan<- prometheus.Metric) {
	for name, store := range c.stores() {
		c.collect(to, name, store)
	}
}

func (c *collector) collect(to chan<- prometheus.Metric, name string, p *Pebble) {
	gauge := func(d *prometheus.Desc, v float64) {
		to <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, v, name)
	}
	histogram := func(d *prometheus.Desc, counts []atomic.Int64, first, sum float64) {
		buckets, count := make(map[float64]uint64, len(counts)), uint64(0)
		for i := range counts {
			count += uint64(counts[i].Load())
			if i < len(counts)-1 {
				buckets[first*float64(int64(1)<<i)] = count
			}
		}
		to <- prometheus.MustNewConstHistogram(d, count, sum, buckets, name)
	}
	histogram(c.commit, p.committed.took[:], commitFirst.Seconds(), float64(p.committed.tookNs.Load())/1e9)
	histogram(c.group, p.committed.entries[:], 1, float64(p.committed.entriesN.Load()))
	gauge(c.waiting, float64(len(p.queue)))
	gauge(c.journal, float64(p.Tail()))
	if published, err := p.Published(); err == nil {
		gauge(c.published, float64(published))
	}
	// A closed store has no size; nothing else can go wrong.
	_ = p.reading(func() error {
		gauge(c.disk, float64(p.db.Metrics().DiskSpaceUsage()))
		return nil
	})
}
