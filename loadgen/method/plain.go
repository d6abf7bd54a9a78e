package method

import (
	"regexp"
	"strings"
)

// plain is an error's text in one line, without what protobuf adds to its own at
// random: it writes spaces that are not ASCII's, so that nobody relies on the
// text.
func plain(err error) string {
	return strings.TrimPrefix(oneLine(err.Error()), "proto: ")
}

// oneLine makes any run of white space one space; Fields knows U+00A0 as well.
func oneLine(text string) string { return strings.Join(strings.Fields(text), " ") }

// position is where protojson says an error is: in JSON that was put together
// here, which nobody has seen.
var position = regexp.MustCompile(`^(syntax error )?\(line \d+:\d+\): `)

// withoutPosition is an error's text without it.
func withoutPosition(err error) string { return position.ReplaceAllString(plain(err), "") }
