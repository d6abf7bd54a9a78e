package fault

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
)

// linkNames are the targets of faults on links.
func linkNames(v Victims) []string { return slices.Sorted(maps.Keys(v.Links())) }

func linkOf(v Victims, name string) (Link, error) {
	if link, ok := v.Links()[name]; ok {
		return link, nil
	}
	return nil, fmt.Errorf("no link %q", name)
}

// onlyKnown refuses parameters that a fault does not take: one that is
// misspelt would silently be another fault.
func onlyKnown(params map[string]string, known ...string) error {
	for _, name := range slices.Sorted(maps.Keys(params)) {
		if slices.Contains(known, name) {
			continue
		}
		if len(known) == 0 {
			return fmt.Errorf("unknown parameter %q: this fault takes none", name)
		}
		return fmt.Errorf("unknown parameter %q: this fault takes %s", name, strings.Join(known, ", "))
	}
	return nil
}

// number reads a parameter that is a whole number of at least 0, and at most
// limit unless that is negative.
func number(params map[string]string, name string, fallback, limit int64) (int64, error) {
	text, given := params[name]
	if !given {
		return fallback, nil
	}
	n, err := strconv.ParseInt(text, 10, 64)
	if err != nil || n < 0 || limit >= 0 && n > limit {
		if limit < 0 {
			return 0, fmt.Errorf("parameter %s=%q: want a whole number of at least 0", name, text)
		}
		return 0, fmt.Errorf("parameter %s=%q: want a whole number from 0 to %d", name, text, limit)
	}
	return n, nil
}
