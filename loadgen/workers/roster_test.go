package workers

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"testing"
	"time"

	"breakbank/loadgen"

	"github.com/cockroachdb/datadriven"
)

// play is a run without a network or a clock: the transcript plays the workers.
type play struct {
	roster  *roster
	now     time.Time
	began   time.Time
	stalled map[string]bool // they neither speak nor close
	closed  map[uint64]bool
	ids     map[string]string
	shown   string
	out     strings.Builder
}

func newPlay(o Options) (*play, error) {
	if err := o.check(); err != nil {
		return nil, err
	}
	began := time.Unix(1000, 0)
	return &play{
		roster: newRoster(o, began), now: began, began: began,
		stalled: map[string]bool{}, closed: map[uint64]bool{}, ids: map[string]string{},
	}, nil
}

func (p *play) printf(format string, args ...any) {
	fmt.Fprintf(&p.out, "%6.2fs  %s\n", p.now.Sub(p.began).Seconds(), fmt.Sprintf(format, args...))
}

// show prints the orders, heartbeats aside, and how the run stands if that has
// changed.
func (p *play) show() {
	for _, l := range p.roster.out {
		who := l.id
		for name, id := range p.ids {
			if id == l.id {
				who = name
			}
		}
		switch o := l.order; o.Kind {
		case orderBeat:
		case orderJob:
			p.printf("to %s: job %s", who, o.Spec)
		case orderGo:
			p.printf("to %s: go in %v", who, o.Lead)
		default:
			p.printf("to %s: %s: %s", who, o.Kind, o.Why)
		}
	}
	p.roster.out = nil
	if s := p.roster.state(); p.shown != s.Stage.String()+s.String() {
		p.shown = s.Stage.String() + s.String()
		p.printf("%v: %v", s.Stage, s)
	}
}

// id makes up the id of a worker.
func (p *play) id(name string) string {
	if _, known := p.ids[name]; !known {
		p.ids[name] = fmt.Sprintf("%026d", len(p.ids)+1)
	}
	return p.ids[name]
}

// client is the connection of a worker.
func (p *play) client(name string) uint64 {
	n, _ := strconv.ParseUint(p.id(name), 10, 64)
	return n
}

func (p *play) say(name, word string, data []byte) {
	if a := p.roster.heard(p.now, p.id(name), word, data); a.Refused != "" {
		p.printf("%s is told: %s", name, a.Refused)
	}
}

func (p *play) tick() {
	p.roster.tick(p.now, func(client uint64) bool { return !p.closed[client] })
	p.show()
}

// wait lets time pass; who is not stalled is heard now and then.
func (p *play) wait(d time.Duration) {
	for end := p.now.Add(d); p.now.Before(end); {
		p.now = p.now.Add(tickEach)
		for _, s := range p.roster.seats {
			if s != nil && s.lost == nil && !p.stalled[s.Name] && !p.closed[s.Client] && p.now.Sub(s.heard) > p.roster.o.Silence/beatsPerSilence {
				p.say(s.Name, sayBeat, nil)
			}
		}
		p.tick()
	}
}

// do plays one line.
func (p *play) do(cmd *datadriven.TestData) error {
	name := ""
	if len(cmd.CmdArgs) > 0 {
		name = cmd.CmdArgs[0].Key
	}
	switch cmd.Cmd {
	case "join":
		h := hello{Protocol: protocolVersion, ID: p.id(name), Name: name, Host: "box", PID: 4711, Client: p.client(name)}
		if cmd.HasArg("protocol") {
			h.Protocol++
		}
		if cmd.HasArg("anonymous") {
			h.Name = ""
		}
		if cmd.HasArg("again") { // another connection under the same name
			h.ID = p.id(name + "-again")
		}
		if w := p.roster.hello(p.now, must(h)); w.Refused != "" {
			p.printf("%s is refused: %s", name, w.Refused)
		} else {
			p.printf("%s is welcome: it is part %d of %d", w.Name, w.Part+1, w.Parts)
		}
	case "ready":
		p.say(name, sayReady, []byte(strings.Repeat(cmd.CmdArgs[1].Key, 64)))
	case "progress":
		p.say(name, sayProgress, frame(must(Progress{Sent: 7}), []byte("snapshot")))
	case "report":
		r := Report{Summary: loadgen.Summary{Sent: 10, Interrupted: cmd.HasArg("interrupted")}, Snapshot: []byte("recording")}
		data, err := r.encode()
		if err != nil {
			return err
		}
		half := len(data) / 2
		p.say(name, sayReport, frame(must(piece{Offset: 0, Total: len(data)}), data[:half]))
		if cmd.HasArg("half") {
			break
		}
		if cmd.HasArg("garbled") {
			data[half] ^= 0xff
			data[0] ^= 0xff
		}
		p.say(name, sayReport, frame(must(piece{Offset: 0, Total: len(data)}), data[:half])) // Once more: its ack was late.
		p.say(name, sayReport, frame(must(piece{Offset: half, Total: len(data)}), data[half:]))
	case "says":
		p.say(name, cmd.CmdArgs[1].Key, []byte(cmd.Input))
	case "fails":
		p.say(name, sayFailed, []byte(cmd.Input))
	case "closes":
		p.closed[p.client(name)] = true
	case "stalls":
		p.stalled[name] = true
	case "exits":
		var err error
		if cmd.Input != "" {
			err = errors.New(cmd.Input)
		}
		p.roster.exited(p.now, name, err)
	case "wait", "held-up":
		d, err := time.ParseDuration(name)
		if err != nil {
			return err
		}
		if cmd.Cmd == "held-up" {
			p.now = p.now.Add(d)
			p.tick()
			break
		}
		p.wait(d)
	case "interrupt":
		p.roster.end(p.now, "it was interrupted", nil)
	case "outcome":
		p.outcome()
	default:
		return fmt.Errorf("no command %q", cmd.Cmd)
	}
	p.show()
	return nil
}

func (p *play) outcome() {
	if p.roster.err != nil {
		p.printf("error: %v", p.roster.err)
	}
	o := p.roster.outcome()
	if o == nil {
		p.printf("no outcome")
		return
	}
	for _, r := range o.Reports {
		p.printf("%s reports %d sent and %q", r.Worker, r.Summary.Sent, r.Snapshot)
	}
	for _, reason := range o.InvalidReasons() {
		p.printf("INVALID: %s", reason)
	}
	for _, l := range o.Lost {
		p.printf("%s told last of %d sent", l.Worker, l.Last.Sent)
	}
	if o.Partial {
		p.printf("partial: %s", o.Stopped)
	} else {
		p.printf("complete")
	}
}

func TestRoster(t *testing.T) {
	datadriven.Walk(t, "testdata/roster", func(t *testing.T, path string) {
		var p *play
		datadriven.RunTest(t, path, func(t *testing.T, cmd *datadriven.TestData) string {
			if cmd.Cmd == "run" {
				o := Options{Spec: []byte(`"the spec"`)}
				cmd.ScanArgs(t, "workers", &o.Workers)
				if cmd.HasArg("drawn") {
					var c string
					cmd.ScanArgs(t, "drawn", &c)
					o.ScheduleSHA256 = strings.Repeat(c, 64)
				}
				if cmd.HasArg("limit") {
					var d string
					cmd.ScanArgs(t, "limit", &d)
					limit, err := time.ParseDuration(d)
					if err != nil {
						t.Fatal(err)
					}
					o.Limit = limit
				}
				var err error
				if p, err = newPlay(o); err != nil {
					t.Fatal(err)
				}
				p.show()
			} else if err := p.do(cmd); err != nil {
				t.Fatalf("%s: %v", cmd.Pos, err)
			}
			out := p.out.String()
			p.out.Reset()
			return out
		})
	})
}
