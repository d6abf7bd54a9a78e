package balance

import (
	"math"
	"testing"

	"pgregory.net/rapid"
)

// Together the callers' arcs lie over every place of the ring equally often,
// whatever the numbers of callers and endpoints.
func TestAperturesCoverEvenly(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.IntRange(1, 100).Draw(t, "endpoints")
		callers := rapid.IntRange(1, 100).Draw(t, "callers")
		// Somewhere in a caller's unit, but not at its ends, where arcs meet.
		place := (float64(rapid.IntRange(0, callers-1).Draw(t, "unit")) + rapid.Float64Range(0.01, 0.99).Draw(t, "in it")) / float64(callers)
		over, width := 0, 0.0
		for i := range callers {
			a := newAperture()
			a.Place(i, callers)
			width = a.width(n)
			if math.Mod(place-a.offset+1, 1) < width {
				over++
			}
		}
		if width < min(1, float64(apertureMin)/float64(n))-1e-9 {
			t.Fatalf("an arc of %v over %d endpoints", width, n)
		}
		if want := width * float64(callers); math.Abs(float64(over)-want) > 1e-6 {
			t.Fatalf("%d of %d arcs are over %v, want %v", over, callers, place, want)
		}
	})
}
