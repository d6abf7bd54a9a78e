package recording

// shared is what of a recorder is copied under its lock, which is little: the
// pages of histograms are shared, and copied by whoever writes them next.
type shared struct {
	snapshot    Snapshot
	memory      memory
	cells       []cell
	retryTimes  histogram
	open        []openTimes // by second, then by journey
	series, log filling
}

// Snapshot is a copy of what the recorder has kept so far, as of one moment.
// Recording is held up only while it is shared, some 0.1 ms; the rest, a few
// milliseconds, is done beside it.
func (r *Recorder) Snapshot() *Snapshot {
	return r.share().pack()
}

func (r *Recorder) share() *shared {
	// What is large is allocated without the lock, with room for two seconds more.
	r.mu.Lock()
	open := max(0, r.last+3-r.first) * len(r.names)
	r.mu.Unlock()
	s := &shared{cells: make([]cell, len(r.cells)), open: make([]openTimes, 0, open)}

	r.mu.Lock()
	defer r.mu.Unlock()
	for r.closing.active {
		r.closeStep()
	}
	r.memory.epoch++ // From here on no page is its histogram's own.
	s.snapshot = Snapshot{
		names: r.names, phases: r.phases, goodNs: r.goodNs, retries: r.retries,
		codes: r.codes.clone(), classes: r.classes.clone(), routes: r.routes.clone(),
		attempts: r.attempts, messages: r.messages,
		seconds: r.last + 1, counts: r.counts.clone(r.first),
	}
	s.memory.epoch, s.retryTimes = r.memory.epoch, r.retryTimes
	s.series, s.log = r.series.clone(), r.log.clone()
	for i, c := range r.cells {
		if c != nil {
			s.cells[i] = *c
		}
	}
	for second := r.first; second <= r.last; second++ {
		for _, times := range r.open(second) {
			if times == nil {
				times = &openTimes{}
			}
			s.open = append(s.open, *times)
		}
	}
	return s
}

// pack makes the copy small, and closes its seconds as the recorder will.
func (s *shared) pack() *Snapshot {
	to, m := &s.snapshot, &s.memory
	to.retryTimes = s.retryTimes.pack(0, m)
	to.cells = make([]packedCell, len(s.cells))
	for i := range s.cells {
		to.cells[i].tallies = s.cells[i].tallies
		for c := range s.cells[i].times {
			to.cells[i].times[c] = s.cells[i].times[c].pack(0, m)
		}
	}
	for open := s.open; len(open) > 0; open = open[len(to.names):] {
		for j := range to.names {
			s.series.add(j, &open[j][Response], m)
			for c := range open[j] {
				s.log.add(j*clockCount+c, &open[j][c], m)
			}
		}
		s.series.close()
		s.log.close()
	}
	to.series, to.log = s.series.finish(m), s.log.finish(m)
	return to
}
