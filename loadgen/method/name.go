package method

import (
	"fmt"
	"slices"
	"strings"

	"google.golang.org/protobuf/reflect/protoreflect"
)

// name is a method's name, in parts.
type name struct{ service, method string }

// parseName reads "pkg.Service/Method", "/pkg.Service/Method" and
// "pkg.Service.Method".
func parseName(text string) (name, error) {
	at := strings.LastIndexByte(text, '/')
	if at <= 0 {
		at = strings.LastIndexByte(text, '.')
	}
	if at > 0 {
		n := name{strings.TrimPrefix(text[:at], "/"), text[at+1:]}
		if protoreflect.FullName(n.service).IsValid() && protoreflect.Name(n.method).IsValid() {
			return n, nil
		}
	}
	return name{}, fmt.Errorf("%q is not a method: say package.Service/Method", text)
}

func (n name) String() string { return n.service + "/" + n.method }

// nearMax is how many names an error suggests.
const nearMax = 8

// near lists names for an error, those most like the wanted one first.
func near(wanted string, names []string) string {
	names = slices.Clone(names)
	slices.Sort(names)
	slices.SortStableFunc(names, func(a, b string) int { return unlike(wanted, a) - unlike(wanted, b) })
	text := strings.Join(names[:min(len(names), nearMax)], ", ")
	if more := len(names) - nearMax; more > 0 {
		text += fmt.Sprintf(" and %d more", more)
	}
	return text
}

// unlike is how far two names are apart. Of a name with dots only the last part
// counts as well, since that is what people remember.
func unlike(wanted, name string) int {
	wanted, name = strings.ToLower(wanted), strings.ToLower(name)
	return min(distance(wanted, name), 1+distance(last(wanted), last(name)))
}

func last(name string) string { return name[strings.LastIndexByte(name, '.')+1:] }

// distance counts the insertions, deletions and replacements that make b of a
// (Levenshtein 1966), one row at a time.
func distance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			replaced := diagonal
			if a[i] != b[j] {
				replaced++
			}
			diagonal = row[j+1]
			row[j+1] = min(replaced, diagonal+1, row[j]+1)
		}
	}
	return row[len(b)]
}
