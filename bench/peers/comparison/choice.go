package comparison

import (
	"fmt"
	"slices"
	"strings"
)

// Names lists contenders in the order of their table.
func Names[T any](table []T, name func(T) string) []string {
	names := make([]string, 0, len(table))
	for _, contender := range table {
		names = append(names, name(contender))
	}
	return names
}

// ByNames finds contenders, in the order of their table; no names, and it is all
// of them. An unknown name is an error that lists the known ones; what says what
// they are, such as "peer".
func ByNames[T any](what string, table []T, name func(T) string, wanted []string) ([]T, error) {
	if len(wanted) == 0 {
		return slices.Clone(table), nil
	}
	known := Names(table, name)
	for _, w := range wanted {
		if !slices.Contains(known, w) {
			return nil, fmt.Errorf("unknown %s %q; valid: %s", what, w, strings.Join(known, ", "))
		}
	}
	return slices.DeleteFunc(slices.Clone(table), func(c T) bool { return !slices.Contains(wanted, name(c)) }), nil
}
