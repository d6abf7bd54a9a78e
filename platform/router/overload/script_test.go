package overload

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/cockroachdb/datadriven"
)

// The scripts in testdata each tell a story. Their prose is the documentation
// of the rule; what stands under ---- is what a request is told. Regenerate
// with -rewrite and read the diff.
func TestScripts(t *testing.T) {
	datadriven.Walk(t, "testdata", func(t *testing.T, path string) {
		s := &script{}
		datadriven.RunTest(t, path, func(t *testing.T, d *datadriven.TestData) string {
			run, ok := scriptCommands[d.Cmd]
			if !ok {
				t.Fatalf("%s: unknown command %q", d.Pos, d.Cmd)
			}
			s.out.Reset()
			run(s, t, d)
			if s.out.Len() == 0 {
				return "ok\n"
			}
			return s.out.String()
		})
	})
}

// script is one service's door and its time.
type script struct {
	door      *Door[string]
	deadlines *Deadlines
	rng       *rand.Rand
	now       time.Time
	out       strings.Builder
}

var scriptCommands = map[string]func(*script, *testing.T, *datadriven.TestData){
	"door":     (*script).newDoor,
	"arrive":   (*script).arrive,
	"done":     (*script).done,
	"leave":    (*script).leave,
	"wait":     (*script).wait,
	"deadline": (*script).newDeadline,
	"left":     (*script).left,
	"answered": (*script).answered,
}

// door [places=N] [queue] [breaker] [criticality]
func (s *script) newDoor(t *testing.T, d *datadriven.TestData) {
	var c Config
	places := 0
	if d.MaybeScanArgs(t, "places", &places); places > 0 {
		c.Concurrency = &ConcurrencyConfig{Max: places}
	}
	if d.HasArg("queue") {
		c.Queue = &QueueConfig{}
	}
	if d.HasArg("breaker") {
		c.Breaker = &BreakerConfig{}
	}
	if d.HasArg("criticality") {
		c.Criticality = &CriticalityConfig{}
	}
	s.now, s.rng = epoch, rand.New(rand.NewPCG(1, 1))
	s.door = NewDoor[string](c.WithDefaults())
}

// arrive NAME… [level=LEVEL]
func (s *script) arrive(t *testing.T, d *datadriven.TestData) {
	level := Critical.String()
	d.MaybeScanArgs(t, "level", &level)
	for _, arg := range d.CmdArgs {
		if arg.Key == "level" {
			continue
		}
		switch a := s.door.Arrive(s.now, s.rng, ParseCriticality(level), arg.Key); {
		case a.Admitted:
			fmt.Fprintf(&s.out, "%s goes on\n", arg.Key)
		case a.Waiting:
			fmt.Fprintf(&s.out, "%s may wait for %v\n", arg.Key, a.Until.Sub(s.now))
		default:
			fmt.Fprintf(&s.out, "%s is refused: %s\n", arg.Key, a.Reason)
		}
	}
}

// done [failed|ignored] [times=N]: so many requests that went on end.
func (s *script) done(t *testing.T, d *datadriven.TestData) {
	times, outcome := 1, Answered
	d.MaybeScanArgs(t, "times", &times)
	if d.HasArg("failed") {
		outcome = Failed
	} else if d.HasArg("ignored") {
		outcome = Ignored
	}
	for range times {
		s.door.Done(s.now, time.Millisecond, outcome)
		s.next()
	}
}

func (s *script) next() {
	for {
		turn, ok := s.door.Next(s.now, s.rng)
		if !ok {
			return
		}
		if turn.Admitted {
			fmt.Fprintf(&s.out, "%s goes on\n", turn.Who)
		} else {
			fmt.Fprintf(&s.out, "%s is refused: %s\n", turn.Who, turn.Reason)
		}
	}
}

// leave NAME
func (s *script) leave(_ *testing.T, d *datadriven.TestData) {
	if !s.door.Leave(s.now, d.CmdArgs[0].Key) {
		fmt.Fprintf(&s.out, "%s does not wait\n", d.CmdArgs[0].Key)
	}
}

// wait 5ms
func (s *script) wait(t *testing.T, d *datadriven.TestData) {
	s.now = s.now.Add(s.duration(t, d, d.CmdArgs[0].Key))
}

func (s *script) newDeadline(*testing.T, *datadriven.TestData) {
	s.now = epoch
	c := DeadlineConfig{}.WithDefaults()
	s.deadlines = NewDeadlines(&c)
}

// left of=1s spent=20ms
func (s *script) left(t *testing.T, d *datadriven.TestData) {
	var of, spent string
	d.ScanArgs(t, "of", &of)
	d.ScanArgs(t, "spent", &spent)
	left, ok := s.deadlines.Left(s.now, s.duration(t, d, of), s.duration(t, d, spent))
	if !ok {
		fmt.Fprintf(&s.out, "not sent, with %v left\n", left)
		return
	}
	fmt.Fprintf(&s.out, "sent with %v\n", left)
}

// answered in=5ms
func (s *script) answered(t *testing.T, d *datadriven.TestData) {
	var in string
	d.ScanArgs(t, "in", &in)
	s.deadlines.Answered(s.now, s.duration(t, d, in))
}

func (s *script) duration(t *testing.T, d *datadriven.TestData, text string) time.Duration {
	long, err := time.ParseDuration(text)
	if err != nil {
		t.Fatalf("%s: %v", d.Pos, err)
	}
	return long
}
