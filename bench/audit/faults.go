package audit

import (
	"fmt"
	"strings"
)

// faultsShown bounds how many faults a check names; it counts them all.
const faultsShown = 3

// faultList is what a check found wrong.
type faultList struct {
	shown []string
	more  int
}

func (l *faultList) add(format string, args ...any) {
	if len(l.shown) == faultsShown {
		l.more++
		return
	}
	l.shown = append(l.shown, fmt.Sprintf(format, args...))
}

func (l *faultList) none() bool { return len(l.shown) == 0 }

// String names the first faults and counts the others.
func (l *faultList) String() string {
	text := strings.Join(l.shown, "; ")
	if l.more > 0 {
		text += fmt.Sprintf("; and %d more", l.more)
	}
	return text
}
