package recording

import "slices"

// spans are histograms of a run by time, several for each of its parts. There
// are at most limit parts, however long the run is: once there are so many, each
// further part has the two oldest that are still of the same width made into one.
//
//	limit 4, seconds   0 1 2 3 4 5 6 7
//	after 4            |_|_|_|_|
//	after 6            |___|___|_|_|
//	after 8            |___|___|___|___|
//
// What there is depends on the values and on the number of seconds only, so
// spans that were counted apart can be merged, in any order.
type spans struct {
	limit, kinds int
	// width is of the parts in fine, in seconds; those in coarse are twice as
	// wide and come before.
	width, closed int
	coarse, fine  [][]packed
	// partial is what there is of the part after those in fine; nil is nothing.
	partial []packed
}

func newSpans(limit, kinds int) spans { return spans{limit: limit, kinds: kinds, width: 1} }

// ends says whether the second that is closed next ends a part.
func (s *spans) ends() bool { return (s.closed+1)%s.width == 0 }

// full says whether the next part makes the two oldest one.
func (s *spans) full() bool { return len(s.coarse)+len(s.fine) == s.limit }

// pair is kind k of the two oldest parts of full spans as one; latest is that
// kind of the part that comes.
func (s *spans) pair(k int, latest packed) packed {
	if len(s.fine) == 1 {
		return mergePacked(s.fine[0][k], latest)
	}
	return mergePacked(s.fine[0][k], s.fine[1][k])
}

// end closes a second that ends a part. oldest is what pair made of each kind,
// and not looked at unless the spans are full.
func (s *spans) end(latest, oldest []packed) {
	full := s.full()
	s.closed++
	s.fine = append(s.fine, latest)
	if !full {
		return
	}
	s.coarse = append(s.coarse, oldest)
	s.fine[0], s.fine[1] = nil, nil
	if s.fine = s.fine[2:]; len(s.fine) == 0 {
		s.fine, s.coarse = s.coarse, nil
		s.width *= 2
	}
}

// advance closes seconds without anything in them.
func (s *spans) advance(closed int) {
	for s.closed < closed {
		if !s.ends() {
			s.closed++
			continue
		}
		latest, oldest := s.partial, make([]packed, s.kinds)
		if s.partial = nil; latest == nil {
			latest = make([]packed, s.kinds)
		}
		if s.full() {
			for k := range oldest {
				oldest[k] = s.pair(k, latest[k])
			}
		}
		s.end(latest, oldest)
	}
}

// merge adds what others hold. Both are advanced to the same second.
func (s *spans) merge(o *spans) {
	s.advance(o.closed)
	o.advance(s.closed)
	for i := range s.coarse {
		s.coarse[i] = mergeAll(s.coarse[i], o.coarse[i])
	}
	for i := range s.fine {
		s.fine[i] = mergeAll(s.fine[i], o.fine[i])
	}
	s.partial = mergeAll(s.partial, o.partial)
}

func mergeAll(a, b []packed) []packed {
	switch {
	case a == nil:
		return b
	case b == nil:
		return a
	}
	sum := make([]packed, len(a))
	for k := range sum {
		sum[k] = mergePacked(a[k], b[k])
	}
	return sum
}

func (s *spans) clone() spans {
	c := *s
	c.coarse, c.fine = slices.Clone(s.coarse), slices.Clone(s.fine)
	return c
}

// part is a part of spans, in seconds.
type part struct {
	from, lasts int
	of          []packed
}

// parts are the parts in their order; the last may have begun only.
func (s *spans) parts() []part {
	all := make([]part, 0, len(s.coarse)+len(s.fine)+1)
	from := 0
	for _, of := range s.coarse {
		all = append(all, part{from, 2 * s.width, of})
		from += 2 * s.width
	}
	for _, of := range s.fine {
		all = append(all, part{from, s.width, of})
		from += s.width
	}
	if s.partial != nil {
		all = append(all, part{from, s.closed - from, s.partial})
	}
	return all
}
