package node

import (
	"context"
	"time"
)

// Checks of an instance's process. Once a second, as a kubelet can be told, it
// is checked, and not ready once failureThreshold checks have failed in a row.
// To ask it costs half a millisecond of CPU on either side, and thirty instances
// may share two cores: while all is well it is asked now and then only, and the
// kernel, which is cheap to ask, whether it is stopped.
const (
	checkEvery       = time.Second
	checksPerProbe   = 5
	probeLimit       = time.Second
	failureThreshold = 3
)

// health is what checks have shown; at first all is well.
type health struct {
	silent   bool
	failures int // in a row
	checks   int
}

// ask says whether the next check is to ask the process itself.
func (h *health) ask() bool {
	h.checks++
	return h.failures > 0 || h.checks%checksPerProbe == 0
}

// learn takes in the result of a check, and says whether that makes the process
// silent, or no longer so.
func (h *health) learn(err error) (changed bool) {
	if err != nil {
		h.failures++
	} else {
		h.failures = 0
	}
	before := h.silent
	switch {
	case h.failures == 0:
		h.silent = false
	case h.failures >= failureThreshold:
		h.silent = true
	}
	return h.silent != before
}

// watch tells of each change between answering and not, beginning with a process
// that answers, until ctx ends.
func (s *spawned) watch(ctx context.Context, tell func(answers bool)) {
	again := time.NewTicker(checkEvery)
	defer again.Stop()
	for h := (health{}); ; {
		select {
		case <-ctx.Done():
			return
		case <-again.C:
		}
		err := s.check(ctx, h.ask())
		if ctx.Err() != nil {
			return
		}
		if h.learn(err) {
			tell(!h.silent)
		}
	}
}

// check says what is wrong with the process, if anything is known to be.
func (s *spawned) check(ctx context.Context, ask bool) error {
	if s.process.Stopped() {
		return errUnanswered
	}
	if !ask {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, probeLimit)
	defer cancel()
	return s.probe(ctx)
}
