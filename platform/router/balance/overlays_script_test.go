package balance

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/cockroachdb/datadriven"
)

// The scripts in testdata/overlays each tell the story of one overlay. Their
// prose is its documentation; what stands under ---- is who is left in
// rotation. Regenerate with -rewrite and read the diff.
func TestOverlayScripts(t *testing.T) {
	datadriven.Walk(t, "testdata/overlays", func(t *testing.T, path string) {
		s := &overlayScript{}
		datadriven.RunTest(t, path, func(t *testing.T, d *datadriven.TestData) string {
			run, ok := overlayCommands[d.Cmd]
			if !ok {
				t.Fatalf("%s: unknown command %q", d.Pos, d.Cmd)
			}
			return run(s, t, d)
		})
	})
}

// overlayScript is one service with an ejector, failure accrual, or both.
type overlayScript struct {
	ejector   *Ejector
	accrual   *Accrual
	rng       *rand.Rand
	now       time.Time
	endpoints []Endpoint
}

var overlayCommands = map[string]func(*overlayScript, *testing.T, *datadriven.TestData) string{
	"ejection": (*overlayScript).ejection,
	"accrual":  (*overlayScript).accrues,
	"ok":       (*overlayScript).attempt,
	"fail":     (*overlayScript).attempt,
	"sent":     (*overlayScript).attempt,
	"cancel":   (*overlayScript).attempt,
	"wait":     (*overlayScript).wait,
	"mix":      (*overlayScript).mix,
}

func (s *overlayScript) reset(t *testing.T, d *datadriven.TestData) {
	*s = overlayScript{now: epoch, rng: rand.New(rand.NewPCG(1, 1))}
	var ids string
	d.ScanArgs(t, "endpoints", &ids)
	for id := range strings.SplitSeq(ids, "") {
		s.endpoints = append(s.endpoints, Endpoint{ID: id})
	}
}

// ejection endpoints=abc [max=N] [panic=N] [at-least-one] [success-rate]
func (s *overlayScript) ejection(t *testing.T, d *datadriven.TestData) string {
	s.reset(t, d)
	var c EjectionConfig
	d.MaybeScanArgs(t, "max", &c.MaxPercent)
	d.MaybeScanArgs(t, "panic", &c.PanicPercent)
	c.AtLeastOne = d.HasArg("at-least-one")
	if d.HasArg("success-rate") {
		c.SuccessRate = &SuccessRateConfig{}
	}
	s.ejector = NewEjector(c.WithDefaults())
	return s.rotation(nil)
}

// accrual endpoints=abc
func (s *overlayScript) accrues(t *testing.T, d *datadriven.TestData) string {
	s.reset(t, d)
	s.accrual = NewAccrual(AccrualConfig{}.WithDefaults())
	return s.rotation(nil)
}

// ok|fail|sent|cancel ID [times=N]: attempts at an endpoint, one after the
// other; one that is only sent is still under way.
func (s *overlayScript) attempt(t *testing.T, d *datadriven.TestData) string {
	times := 1
	d.MaybeScanArgs(t, "times", &times)
	var out []string
	for range times {
		out = append(out, s.one(d.Cmd, d.CmdArgs[0].Key)...)
	}
	return s.rotation(out)
}

func (s *overlayScript) one(end, id string) (out []string) {
	if s.accrual != nil {
		s.accrual.Sent(s.now, id)
		if verdict, ended := map[string]Verdict{"ok": Fine, "fail": Faulty, "cancel": Neither}[end]; ended {
			if s.accrual.Done(s.now, s.rng, id, verdict) {
				out = append(out, fmt.Sprintf("%s is dead for %v", id, s.accrual.record[id].until.Sub(s.now).Round(100*time.Millisecond)))
			}
		}
	}
	if s.ejector != nil && (end == "ok" || end == "fail") {
		if s.ejector.Observe(s.now, id, end == "ok", len(s.endpoints)) {
			out = append(out, s.ejected(id))
		}
		for _, id := range s.ejector.Sweep(s.now, len(s.endpoints)) {
			out = append(out, s.ejected(id)+" by its success rate")
		}
	}
	return out
}

func (s *overlayScript) ejected(id string) string {
	return fmt.Sprintf("%s is ejected for %v", id, s.ejector.record[id].until.Sub(s.now))
}

// mix times=N fail=(a:30, b:2): N attempts at every endpoint, of which so many
// fail, evenly spread.
func (s *overlayScript) mix(t *testing.T, d *datadriven.TestData) string {
	var times int
	d.ScanArgs(t, "times", &times)
	failing := map[string]int{}
	arg, _ := d.Arg("fail")
	for _, v := range arg.Vals {
		var n int
		if _, err := fmt.Sscanf(v[2:], "%d", &n); err != nil {
			t.Fatalf("%s: %v", d.Pos, err)
		}
		failing[v[:1]] = n
	}
	var out []string
	for i := range times {
		for _, e := range s.endpoints {
			end := "ok"
			if n := failing[e.ID]; i*n/times != (i+1)*n/times {
				end = "fail"
			}
			out = append(out, s.one(end, e.ID)...)
		}
	}
	return s.rotation(out)
}

// wait 30s
func (s *overlayScript) wait(t *testing.T, d *datadriven.TestData) string {
	by, err := time.ParseDuration(d.CmdArgs[0].Key)
	if err != nil {
		t.Fatalf("%s: %v", d.Pos, err)
	}
	s.now = s.now.Add(by)
	return s.rotation(nil)
}

// rotation marks as a router would before a pick.
func (s *overlayScript) rotation(out []string) string {
	view := slices.Clone(s.endpoints)
	for i := range view {
		view[i].Healthy = true
	}
	if s.accrual != nil {
		s.accrual.Mark(s.now, view)
	}
	if s.ejector != nil {
		s.ejector.Mark(s.now, view)
	}
	in, not := "", ""
	for _, e := range view {
		if e.Healthy {
			in += " " + e.ID
		} else {
			not += " " + e.ID
		}
	}
	line := "in rotation:" + in
	if not != "" {
		line += "; not:" + not
	}
	return strings.Join(append(out, line), "\n") + "\n"
}
