package main

import (
	"fmt"

	"breakbank/bench/picture"
	"breakbank/bench/replay"
	"breakbank/bench/result"
)

// compareCommand holds the phase picture of one replay against another's.
type compareCommand struct {
	A    string `arg:"" type:"existingdir" help:"Directory of a replay."`
	B    string `arg:"" type:"existingdir" help:"Directory of the other."`
	JSON bool   `help:"Print the comparison as JSON and nothing else."`
}

func (c *compareCommand) Run(t terminal) error {
	a, err := replay.Read(c.A)
	if err != nil {
		return usageError{err}
	}
	b, err := replay.Read(c.B)
	if err != nil {
		return usageError{err}
	}
	for _, side := range []struct{ dir, kind string }{{c.A, a.Kind}, {c.B, b.Kind}} {
		if side.kind != result.KindReplay {
			return misused("%s holds a result of kind %q; only replays have a picture", side.dir, side.kind)
		}
	}
	compared := picture.Compare(a, b)
	if err := t.show(c.JSON, compared, picture.Text(compared)); err != nil {
		return err
	}
	if compared.Differences > 0 {
		return fmt.Errorf("the pictures differ in %d places", compared.Differences)
	}
	return nil
}
