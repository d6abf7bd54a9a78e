package replay

import (
	"context"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// TestDrained times how the backlogs empty after the last phase has opened.
func TestDrained(t *testing.T) {
	type answer struct {
		atS     float64 // since the last phase opened
		waiting int64   // -1: no answer
	}
	for _, c := range []struct {
		name    string
		answers []answer
		stopped bool
		drained bool
		drainS  float64
		detail  string
	}{
		{"never anything", []answer{{-5, 0}, {1, 0}, {20, 0}}, false, true, 0, ""},
		{"in time", []answer{{-5, 0}, {-1, 900}, {1, 500}, {30, 0}, {40, 0}}, false, true, 30, ""},
		{"twice", []answer{{-1, 900}, {5, 0}, {6, 3}, {10, 0}, {40, 0}}, false, true, 10, ""},
		{"at the last moment", []answer{{-1, 900}, {60, 0}}, false, true, 60, ""},
		{"too late", []answer{{-1, 900}, {60, 1}, {75, 0}}, false, false, 75, "empty 75.0 s after the last phase opened, more than 1m0s"},
		{"in time, and more comes up later", []answer{{-1, 900}, {30, 0}, {300, 2}, {301, 0}}, false, true, 30, ""},
		{"in time, and more comes up at the end", []answer{{-1, 900}, {30, 0}, {300, 2}}, false, false, 0, "not empty"},
		{"never", []answer{{-1, 900}, {90, 1}}, false, false, 0, "not empty 1m0s after the load stopped"},
		{"stopped", []answer{{-1, 900}, {9, 1}, {10, -1}}, true, false, 0, "stopped before all were empty"},
		{"no answer", []answer{{-1, 0}, {9, -1}}, false, false, 0, "stand-in is gone"},
	} {
		t.Run(c.name, func(t *testing.T) {
			opened := time.Date(2017, time.October, 27, 14, 31, 0, 0, time.UTC)
			w := &backlogWatch{}
			w.phase(opened.Add(-time.Hour))
			empty := false
			for _, a := range c.answers {
				if a.atS >= 0 {
					w.phase(opened)
				}
				var err error
				if a.waiting < 0 {
					err = errors.New("stand-in is gone")
				}
				empty = w.note(opened.Add(durationS(a.atS)), waiting{advices: max(a.waiting, 0)}, err)
			}
			b := w.outcome(empty, c.stopped)
			if b.Drained != c.drained || b.DrainS != c.drainS || !strings.HasPrefix(b.Detail, c.detail) || (b.Detail == "") != c.drained {
				t.Errorf("drained %v after %v s, %q; want %v after %v s, %q", b.Drained, b.DrainS, b.Detail, c.drained, c.drainS, c.detail)
			}
		})
	}
}

// TestOneAsksAtATime: whoever drains asks alone. A question of the watch that is
// still under way would be answered later, with what was waiting before.
func TestOneAsksAtATime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		asking, left := 0, int64(30)
		w := &backlogWatch{ask: func(ctx context.Context) (waiting, error) {
			if asking++; asking > 1 {
				t.Error("two ask at a time")
			}
			now := waiting{advices: left}
			left = max(left-1, 0)
			pause(ctx, 9*backlogEvery/10)
			asking--
			return now, ctx.Err()
		}}
		w.start(t.Context())
		opened := time.Now()
		w.phase(opened)
		pause(t.Context(), 10*backlogEvery+backlogEvery/2) // The watch waits for an answer.
		b, empty := w.drain(t.Context())
		if took := time.Since(opened).Seconds(); !empty || !b.Drained || b.DrainS > took || b.DrainS < took-backlogEvery.Seconds() {
			t.Errorf("empty %v after %v s: %+v", empty, took, b)
		}
		if b.AdvicesPeak != 30 || b.Advices != 20 {
			t.Errorf("%d waited at most, %d at the end of the load; want 30 and 20", b.AdvicesPeak, b.Advices)
		}
	})
}

// TestDrainIsBounded: what never empties is given up after drainMax, and at once
// when the run is stopped.
func TestDrainIsBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		never := func(ctx context.Context) (waiting, error) { return waiting{queued: 1}, ctx.Err() }
		for _, limit := range []time.Duration{time.Hour, 2 * time.Second} {
			ctx, cancel := context.WithCancel(t.Context())
			time.AfterFunc(limit, cancel)
			w := &backlogWatch{ask: never}
			w.start(t.Context())
			begun := time.Now()
			b, empty := w.drain(ctx)
			if took := time.Since(begun); took != min(limit, drainMax) || empty || b.Drained || b.Detail == "" {
				t.Errorf("ended after %v, empty %v: %+v", took, empty, b)
			}
			cancel()
		}
	})
}
