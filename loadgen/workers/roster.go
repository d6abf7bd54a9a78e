package workers

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"
)

const (
	// tickEach is how often the roster looks at the clock and at connections.
	tickEach = 50 * time.Millisecond
	// beatsPerSilence is how many heartbeats must go missing until silence.
	beatsPerSilence = 6
)

// whyClosed is how a worker is lost whose process or machine has ended.
const whyClosed = "its connection was closed"

// roster is a run as its coordinator sees it: who takes part, and how far each
// has come. It has no clock and no connection; it is told what happens and when,
// and leaves what is to be sent in out. Not safe for concurrent use.
type roster struct {
	o     Options
	stage Stage
	since time.Time // when the stage began
	begun bool      // go was said
	start time.Time // when the clocks of the workers start

	seats []*seat // by part; nil is free
	byID  map[string]*seat

	ticked, beaten time.Time
	finished       time.Time // when the last of them had reported or was lost
	sha            string
	stopped        string // why it was ended
	err            error

	out     []letter
	changed bool // somebody came to another stage
	told    bool // somebody told its progress
}

// seat is one worker.
type seat struct {
	hello
	part  int
	heard time.Time
	sha   string // set: it is ready
	last  Progress

	report []byte // as far as it has come
	done   *Report
	lost   *Lost
	gone   bool // its connection is closed
}

// here says whether anything is still expected of a worker.
func (s *seat) here() bool { return s != nil && s.done == nil && s.lost == nil }

// letter is an order on its way to a worker.
type letter struct {
	id    string
	order order
}

func newRoster(o Options, now time.Time) *roster {
	return &roster{o: o, since: now, ticked: now, seats: make([]*seat, o.Workers), byID: map[string]*seat{}, changed: true}
}

// enter comes to a stage.
func (r *roster) enter(stage Stage, now time.Time) { r.stage, r.since, r.changed = stage, now, true }

// tell sends an order to every worker that is here.
func (r *roster) tell(o order) {
	for _, s := range r.seats {
		if s.here() {
			r.out = append(r.out, letter{s.ID, o})
		}
	}
}

// hello takes a worker in, or says why not.
func (r *roster) hello(now time.Time, data []byte) welcome {
	var h hello
	if err := json.Unmarshal(data, &h); err != nil {
		return welcome{Refused: "what it said makes no sense"}
	}
	part := 0
	for part < len(r.seats) && r.seats[part] != nil {
		part++
	}
	if h.Name == "" {
		h.Name = nameOf(&h, part)
	}
	switch {
	case h.Protocol != protocolVersion:
		return welcome{Refused: fmt.Sprintf("it speaks version %d of the protocol, the coordinator version %d: use the same build on all machines", h.Protocol, protocolVersion)}
	case r.nameTaken(h.Name) || r.byID[h.ID] != nil:
		return welcome{Refused: fmt.Sprintf("a worker called %s has joined already", line(h.Name))}
	case r.stage == Preparing:
		return welcome{Refused: fmt.Sprintf("it is one too many: all %d have joined", r.o.Workers)}
	case r.stage == Running:
		return welcome{Refused: "it is late: the load has begun"}
	case r.stage != Joining:
		return welcome{Refused: "it is late: the load is over"}
	case !validName(h.Name):
		return welcome{Refused: fmt.Sprintf("its name must be of at most %d letters, digits, '.', '-' and '_', and begin with none of '.' and '-'", nameMax)}
	case len(h.ID) != idLen || strings.ContainsFunc(h.ID, notOfTokens):
		return welcome{Refused: "what it said makes no sense"}
	}
	s := &seat{hello: h, part: part, heard: now}
	r.seats[part], r.byID[h.ID], r.changed = s, s, true
	if r.joined() == r.o.Workers {
		r.enter(Preparing, now)
		r.tell(order{Kind: orderJob, Spec: r.o.Spec})
	}
	return welcome{Name: h.Name, Part: part, Parts: r.o.Workers, Silence: r.o.Silence}
}

func (r *roster) nameTaken(name string) bool {
	for _, s := range r.seats {
		if s != nil && s.Name == name {
			return true
		}
	}
	return false
}

func (r *roster) joined() (n int) {
	for _, s := range r.seats {
		if s != nil {
			n++
		}
	}
	return n
}

// heard takes what a worker says, and returns the answer to a request.
func (r *roster) heard(now time.Time, id, word string, data []byte) ack {
	s := r.byID[id]
	if s == nil || s.lost != nil {
		r.out = append(r.out, letter{id, order{Kind: orderStop, Why: "this worker is not part of the run any more"}})
		return ack{Refused: "this worker is not part of the run any more"}
	}
	s.heard = now
	var err error
	switch word {
	case sayBeat:
	case sayReady:
		r.ready(now, s, string(data))
	case sayProgress:
		err = s.progress(data)
		r.told = true
	case sayReport:
		err = r.piece(now, s, data)
	case sayFailed:
		r.failed(now, s, line(string(data)))
	default:
		err = fmt.Errorf("it said %q", word)
	}
	if err != nil {
		r.lose(now, s, "what it said makes no sense: "+line(err.Error()))
		return ack{Refused: line(err.Error())}
	}
	return ack{}
}

func (s *seat) progress(data []byte) error {
	fields, err := unframe(data, 2)
	if err != nil {
		return err
	}
	var p Progress
	if err := json.Unmarshal(fields[0], &p); err != nil {
		return err
	}
	p.Snapshot = fields[1]
	s.last = p
	return nil
}

// piece takes the next piece of a report. One that was had before, because its
// ack was late, is acknowledged again.
func (r *roster) piece(now time.Time, s *seat, data []byte) error {
	fields, err := unframe(data, 2)
	if err != nil {
		return err
	}
	var p piece
	if err := json.Unmarshal(fields[0], &p); err != nil {
		return err
	}
	switch {
	case !r.begun:
		return errors.New("a report of a load that has not begun")
	case s.done != nil:
		return nil
	case p.Offset < 0 || p.Total > reportMax || p.Offset+len(fields[1]) > p.Total || p.Offset > len(s.report):
		return fmt.Errorf("bytes %d to %d of a report of %d, after %d", p.Offset, p.Offset+len(fields[1]), p.Total, len(s.report))
	}
	s.report = append(s.report[:p.Offset], fields[1]...)
	if len(s.report) < p.Total {
		return nil
	}
	report, err := decodeReport(s.report, s.part, r.o.Workers)
	if err != nil {
		return err
	}
	report.Worker, report.Host = s.Name, s.Host
	s.done, s.report, r.changed, r.finished = &report, nil, true, now
	return nil
}

// failed takes a worker's word that it cannot go on.
func (r *roster) failed(now time.Time, s *seat, reason string) {
	if s.done != nil {
		return
	}
	r.markLost(now, s, "it failed: "+reason)
	if r.stage < Ending {
		r.end(now, fmt.Sprintf("worker %s failed: %s", s.Name, reason), &Failure{Worker: s.Name, Reason: reason})
	}
}

// lose gives a worker up. Before the load has begun there is nothing to save.
func (r *roster) lose(now time.Time, s *seat, why string) {
	if !s.gone {
		r.out = append(r.out, letter{s.ID, order{Kind: orderStop, Why: "this worker was given up: " + why}})
	}
	switch r.stage {
	case Joining:
		r.seats[s.part], r.changed = nil, true
		delete(r.byID, s.ID)
	case Preparing:
		r.markLost(now, s, why)
		err := fmt.Errorf("worker %s was lost before the load began (%s)", s.Name, why)
		r.end(now, err.Error(), err)
	default:
		r.markLost(now, s, why)
	}
}

func (r *roster) markLost(now time.Time, s *seat, why string) {
	s.lost = &Lost{Worker: s.Name, Part: s.part, Parts: r.o.Workers, Why: why, Last: s.last}
	s.report, r.changed, r.finished = nil, true, now
}

// exited takes the end of a worker's process.
func (r *roster) exited(now time.Time, name string, err error) {
	why := "its process ended"
	if err != nil {
		why += ": " + line(err.Error())
	}
	for _, s := range r.seats {
		if s == nil || s.Name != name {
			continue
		}
		switch {
		case s.done != nil:
		case s.lost != nil && s.lost.Why == whyClosed: // It was closed because of this.
			s.lost.Why = why
		case s.lost != nil:
		case r.stage == Joining:
			r.lose(now, s, why)
			r.neverJoined(now, name, why)
		default:
			r.lose(now, s, why)
		}
		return
	}
	r.neverJoined(now, name, why)
}

// neverJoined ends a run that would wait for a worker in vain.
func (r *roster) neverJoined(now time.Time, name, why string) {
	if r.stage == Joining {
		err := fmt.Errorf("worker %s was lost before the load began (%s)", name, why)
		r.end(now, err.Error(), err)
	}
}

// end stops all workers; those that have begun still report.
func (r *roster) end(now time.Time, why string, err error) {
	if r.stage >= Ending {
		return
	}
	r.tell(order{Kind: orderStop, Why: line(why)})
	r.stopped, r.err = line(why), err
	r.enter(Ending, now)
}

// giveUp loses everybody who is still here.
func (r *roster) giveUp(now time.Time, why string) {
	for _, s := range r.seats {
		if s.here() {
			r.lose(now, s, why)
		}
	}
}
