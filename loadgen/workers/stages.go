package workers

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

// ready notes that a worker is, and begins the load when all are.
func (r *roster) ready(now time.Time, s *seat, sha string) {
	if r.stage != Preparing || s.sha != "" {
		return
	}
	s.sha, r.changed = line(sha), true
	for _, s := range r.seats {
		if s.sha == "" {
			return
		}
	}
	if err := r.agree(); err != nil {
		r.end(now, err.Error(), err)
		return
	}
	r.sha, r.begun, r.start = s.sha, true, now.Add(r.o.Lead)
	r.enter(Running, now)
	r.tell(order{Kind: orderGo, Lead: r.o.Lead})
}

// agree says which workers drew another schedule than they should have.
func (r *roster) agree() error {
	drew := map[string][]string{} // names by hash
	most := ""
	for _, s := range r.seats {
		drew[s.sha] = append(drew[s.sha], s.Name)
		if len(drew[s.sha]) > len(drew[most]) {
			most = s.sha
		}
	}
	want, whose := most, "the others"
	switch {
	case r.o.ScheduleSHA256 != "":
		want, whose = r.o.ScheduleSHA256, "the coordinator"
	case 2*len(drew[most]) <= len(r.seats): // There is no majority to hold them against.
		want, whose = r.seats[0].sha, "worker "+r.seats[0].Name
	}
	var others []string
	for _, s := range r.seats {
		if s.sha != want {
			others = append(others, fmt.Sprintf("%s (%.12s)", s.Name, s.sha))
		}
	}
	if len(others) == 0 {
		return nil
	}
	return fmt.Errorf("nothing was sent: another schedule than that of %s (%.12s) was drawn by worker %s; use the same build on all machines",
		whose, want, strings.Join(others, ", "))
}

// tick looks at the clock. connected says whether the server still has a
// worker's connection. All that has arrived must have been taken in before.
func (r *roster) tick(now time.Time, connected func(client uint64) bool) {
	if stood := now.Sub(r.ticked); stood > r.o.Silence/beatsPerSilence {
		// This process itself was held up, and heard nobody because of that.
		for _, s := range r.seats {
			if s != nil {
				s.heard = s.heard.Add(stood)
			}
		}
	}
	r.ticked = now
	for _, s := range r.seats {
		if s == nil {
			continue
		}
		s.gone = s.gone || !connected(s.Client)
		switch {
		case !s.here():
		case s.gone:
			r.lose(now, s, whyClosed)
		case now.Sub(s.heard) > r.o.Silence:
			r.lose(now, s, fmt.Sprintf("nothing was heard from it for %v", r.o.Silence))
		}
	}
	r.watchTime(now)
	if now.Sub(r.beaten) >= r.o.Silence/beatsPerSilence {
		r.beaten = now
		r.tell(order{Kind: orderBeat})
	}
	r.settle(now)
}

// watchTime ends a stage that takes too long.
func (r *roster) watchTime(now time.Time) {
	in := now.Sub(r.since)
	switch {
	case r.stage == Joining && in > r.o.Wait:
		err := fmt.Errorf("%v within %v", r.state(), r.o.Wait)
		r.end(now, err.Error(), err)
	case r.stage == Preparing && in > r.o.Prepare:
		var late []string
		for _, s := range r.seats {
			if s.sha == "" {
				late = append(late, s.Name)
			}
		}
		err := fmt.Errorf("%v within %v; not %s", r.state(), r.o.Prepare, strings.Join(late, ", "))
		r.end(now, err.Error(), err)
	case r.stage == Running && in > r.o.Lead+r.o.Limit:
		r.end(now, fmt.Sprintf("the load took longer than %v", r.o.Limit), nil)
	case r.stage == Ending && in > r.grace():
		r.giveUp(now, fmt.Sprintf("it did not report within %v of being stopped", r.grace()))
	}
}

// grace is how long workers may take to end: where nothing has begun they have
// nothing to wait for.
func (r *roster) grace() time.Duration {
	if r.begun {
		return r.o.Grace
	}
	return min(r.o.Grace, r.o.Silence)
}

// settle ends a run of which nothing more is to come. Who has reported is given
// the time to learn that its report has arrived, which it shows by leaving.
func (r *roster) settle(now time.Time) {
	if r.stage != Running && r.stage != Ending {
		return
	}
	reports := 0
	for _, s := range r.seats {
		switch {
		case s.here():
			return
		case s == nil || s.lost != nil:
		case !s.gone && now.Sub(r.finished) < r.o.Silence:
			return
		default:
			reports++
		}
	}
	if reports == 0 && r.begun && r.err == nil {
		first := slices.IndexFunc(r.seats, func(s *seat) bool { return s.lost != nil })
		r.err = fmt.Errorf("all workers were lost, the first being %s (%s): nothing was measured", r.seats[first].Name, r.seats[first].lost.Why)
	}
	r.enter(Over, now)
}

// state is how the run stands.
func (r *roster) state() State {
	st := State{Stage: r.stage, Of: r.o.Workers, Start: r.start}
	for _, s := range r.seats {
		if s == nil {
			continue
		}
		w := WorkerState{Name: s.Name, Part: s.part, Ready: s.sha != "", Done: s.done != nil, Lost: s.lost != nil, Progress: s.last}
		st.Workers = append(st.Workers, w)
		st.Joined++
		st.Ready += count(w.Ready)
		st.Done += count(w.Done)
		st.Lost += count(w.Lost)
	}
	return st
}

func count(b bool) int {
	if b {
		return 1
	}
	return 0
}

// outcome is what became of the load, nil if it never began.
func (r *roster) outcome() *Outcome {
	if !r.begun {
		return nil
	}
	o := &Outcome{ScheduleSHA256: r.sha, Start: r.start, Partial: r.stopped != "", Stopped: r.stopped}
	for _, s := range r.seats {
		switch {
		case s.done != nil:
			o.Reports = append(o.Reports, *s.done)
		case s.lost != nil:
			o.Lost = append(o.Lost, *s.lost)
		}
	}
	return o
}
