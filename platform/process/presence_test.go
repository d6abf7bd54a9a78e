package process

import (
	"os"
	"testing"
)

func TestPresenceLastsUntilTheLastIsGone(t *testing.T) {
	p := presence(t)
	first := startChild(t, "deaf", Options{Presence: p.File()})
	second := startChild(t, "deaf", Options{Presence: p.File()})
	first.says(t)
	second.says(t)
	gone := p.Gone()
	first.Kill()
	if isClosed(gone) {
		t.Error("one of two lives, and nobody is there")
	}
	second.Kill()
	ended(t, "the end of presence", gone)
}

func TestPresenceOfNobodyIsOver(t *testing.T) {
	ended(t, "the end of presence", presence(t).Gone())
}

func TestPresenceCanBeLeft(t *testing.T) {
	p := presence(t)
	startChild(t, "deaf", Options{Presence: p.File()})
	p.Close() // It lives on, and nobody looks any more.
	p.Close()
}

// A child of a child shows what its parent shows, and what its parent adds.
func TestPresenceIsInherited(t *testing.T) {
	c := startChild(t, "counter", Options{Presence: presence(t).File()})
	if _, shown := c.hears(t, 2); len(shown) != 1 || shown[0] != "2" {
		t.Errorf("it shows %s presences", shown)
	}
}

func TestTheFirstExtraFileKeepsItsNumber(t *testing.T) {
	out, in, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer out.Close()
	c := startChild(t, "writer", Options{Presence: presence(t).File()}, in)
	in.Close()
	if shown := c.says(t); shown != "1" {
		t.Errorf("it shows %s presences", shown)
	}
	if got := rest(t, out); got != "first" {
		t.Errorf("number %d said %q", firstExtraFile, got)
	}
}

// The environment reaches processes that were started by other means. What it
// says does not hold for them.
func TestWhatIsNotBoundDoesNotTakeItselfForBound(t *testing.T) {
	c := startChild(t, "careless-reader", Options{Presence: presence(t).File()})
	if bindings := c.says(t); bindings != "0 false" {
		t.Errorf("it takes itself to be bound: %s", bindings)
	}
	c = startChild(t, "bindings", Options{Presence: presence(t).File()})
	if bindings := c.says(t); bindings != "1 true" {
		t.Errorf("it does not take itself to be bound: %s", bindings)
	}
}

func TestTheLifelineTellsOfTheParentsEnd(t *testing.T) {
	c := startChild(t, "heedful", Options{})
	c.says(t)
	if err := c.lifeline.Close(); err != nil { // As the kernel does at a parent's end.
		t.Fatal(err)
	}
	ended(t, "its end", c.Done())
	if code := c.cmd.ProcessState.ExitCode(); code != 7 {
		t.Errorf("it ended with %d", code)
	}
}

func TestNobodysChildHasNoLifeline(t *testing.T) {
	if Lifeline() != nil {
		t.Error("this process was started by other means")
	}
}
