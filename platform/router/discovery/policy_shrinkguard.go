package discovery

import "fmt"

// shrinkGuard holds a change back that drops more than half of a service, or
// all of it, when nothing but the registry says so. The addresses stay while
// they are probed: whoever does not answer as the instance that the table names
// goes at once, so a service scaled to zero is empty as soon as its instances
// are gone; whoever answers stays, so a registry that has lost its records
// costs nothing. Newcomers are in use from the start, and end it when they
// answer and are half as many as there were: that was a replacement.
//
// A rolling update takes away less than half at a time, and is not its
// business.
type shrinkGuard struct{}

func (shrinkGuard) Name() string { return "shrink-guard" }
func (shrinkGuard) About() string {
	return "a drop of more than half without evidence is held back while what was dropped is probed"
}

func (shrinkGuard) Keep(c Change) string {
	before, after := len(c.Old.Endpoints), len(c.New.Endpoints)
	switch {
	case after == 0:
		return "nothing would be left"
	case 2*len(c.Gone) > before:
		return fmt.Sprintf("%d of %d would go", len(c.Gone), before)
	case 2*after < c.Usual:
		// One at a time is no less a loss.
		return fmt.Sprintf("%d of %d would be left", after, c.Usual)
	}
	return ""
}

func (shrinkGuard) Terms() Terms { return Terms{Probed: true, EndsWhenReplaced: true} }
