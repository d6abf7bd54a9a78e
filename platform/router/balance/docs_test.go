package balance

import (
	"os"
	"strings"
	"testing"
)

// docs/strategies.md has a row for every strategy of the table, and places it
// by its traits.
func TestStrategiesAreDocumented(t *testing.T) {
	page, err := os.ReadFile("../../../docs/strategies.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, kind := range Strategies {
		if !strings.Contains(string(page), "\n| `"+kind.Name+"` |") {
			t.Errorf("docs/strategies.md has no row for %s", kind.Name)
		}
		row := "\n| **slow: its share all the same** |"
		if kind.Traits.Adapts {
			row = "\n| **slow: less than half its share** |"
		}
		_, rest, _ := strings.Cut(string(page), row)
		cells := strings.Split(rest, "|")
		cell := cells[min(1, len(cells)-1)]
		if kind.Traits.Shuns {
			cell = cells[0]
		}
		if !strings.Contains(cell, "`"+kind.Name+"`") {
			t.Errorf("docs/strategies.md does not say that %s adapts %v and shuns %v", kind.Name, kind.Traits.Adapts, kind.Traits.Shuns)
		}
	}
}
