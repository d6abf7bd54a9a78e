package recording

// Live is what somebody who watches a load wants to know of it.
type Live struct {
	// Scheduled, Sent, Good and Tally are of the whole load so far, without the
	// retries.
	Scheduled, Sent, Good int64
	Tally                 Tally
	Retries               int64
	// Seconds are the latest, the last of them still under way. Latencies may
	// come to each of them until it is finished.
	Seconds []Second
}

// Live is the state of the load: totals, and so many of the latest seconds, as
// far as they are still open: that is the patience and 2 s more, at least. It
// costs much less than a Snapshot: some 30 µs a second and journey.
func (r *Recorder) Live(seconds int) Live {
	r.mu.Lock()
	var all tallies
	for _, c := range r.cells {
		if c != nil {
			all.add(&c.tallies)
		}
	}
	// Closed seconds may be in the series together, and are not looked for there.
	first := max(r.first, r.last+1-seconds)
	times := make([]histogram, 0, max(0, r.last+1-first)*len(r.names))
	counts := make([]tallies, 0, cap(times))
	r.memory.epoch++
	for second := first; second <= r.last; second++ {
		for _, open := range r.open(second) {
			var one histogram
			if open != nil {
				one = open[Response]
			}
			times = append(times, one)
		}
		counts = append(counts, r.counts.second(second)...)
	}
	live := Live{Scheduled: all.scheduled, Sent: all.sent, Good: all.good, Tally: all.tally(), Retries: r.retries.Offered}
	r.mu.Unlock()

	var m memory
	packs := make([]packed, len(r.names))
	for i := 0; i < len(times); i += len(r.names) {
		for j := range packs {
			packs[j] = times[i+j].pack(seriesCoarser, &m)
		}
		live.Seconds = append(live.Seconds, figuresOf(first+i/len(r.names), counts[i:i+len(r.names)], packs, 1))
	}
	return live
}
