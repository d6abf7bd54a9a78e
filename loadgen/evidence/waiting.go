package evidence

import (
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// Files of Linux. Elsewhere they do not exist, and what they tell is not known.
const (
	// threadsGlob has a line a thread: nanoseconds on a processor, nanoseconds
	// waiting for one, times on one (sched-stats, "/proc/<pid>/schedstat").
	threadsGlob = "/proc/self/task/*/schedstat"
	// pressureFile tells for how long tasks waited for a processor (psi(5)).
	pressureFile = "/proc/pressure/cpu"
)

// waitedTime is how long the threads of this process have waited for a
// processor so far. Those that have ended since count no more; Go's seldom do.
func waitedTime() (sum time.Duration) {
	files, err := filepath.Glob(threadsGlob)
	if err != nil {
		return 0
	}
	for _, file := range files {
		if text, err := os.ReadFile(file); err == nil { // else it has just ended
			sum += waitedIn(string(text))
		}
	}
	return sum
}

// waitedIn reads a line of schedstat; what makes no sense is 0.
func waitedIn(line string) time.Duration {
	fields := strings.Fields(line)
	if len(fields) < 2 {
		return 0
	}
	ns, err := strconv.ParseInt(fields[1], 10, 64)
	if err != nil || ns < 0 {
		return 0
	}
	return time.Duration(ns)
}

// Stalled is for how long, since the machine was started, some task of it was
// ready to run and had to wait for a processor. ok is false where the kernel
// does not tell: not Linux, older than 4.20, or without CONFIG_PSI.
func Stalled() (stalled time.Duration, ok bool) {
	text, err := os.ReadFile(pressureFile)
	if err != nil {
		return 0, false
	}
	return stalledIn(string(text))
}

// stalledIn reads the total of the line that begins with "some", which is in
// microseconds. The line "full" has no meaning for processors of a whole
// machine.
func stalledIn(text string) (time.Duration, bool) {
	for line := range strings.Lines(text) {
		fields := strings.Fields(line)
		if len(fields) == 0 || fields[0] != "some" {
			continue
		}
		for _, field := range fields[1:] {
			total, found := strings.CutPrefix(field, "total=")
			if us, err := strconv.ParseInt(total, 10, 64); found && err == nil && us >= 0 {
				return time.Duration(us) * time.Microsecond, true
			}
		}
	}
	return 0, false
}
