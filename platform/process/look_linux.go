package process

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"
)

// tick is the unit of times in /proc/PID/stat: USER_HZ, which is 100 on every
// architecture that Go runs on.
const tick = 10 * time.Millisecond

// Places of fields in /proc/PID/stat, counted from the state, which is field 3
// there and the first after the name (proc_pid_stat(5)).
const (
	stateField   = 0
	startField   = 22 - 3
	fieldsNeeded = startField + 1
)

// Look asks the kernel about a process by its number. A process that is gone is
// no error.
func Look(pid int) (Status, error) {
	text, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/stat")
	switch {
	case errors.Is(err, fs.ErrNotExist), errors.Is(err, syscall.ESRCH):
		return Status{State: Gone}, nil
	case err != nil:
		return Status{}, fmt.Errorf("look at process %d: %w", pid, err)
	}
	s, err := parseStat(text)
	if err != nil {
		return Status{}, fmt.Errorf("look at process %d: %w", pid, err)
	}
	return s, nil
}

// parseStat reads the line that /proc/PID/stat is. The name in it stands in
// parentheses and may hold anything, parentheses too.
func parseStat(line []byte) (Status, error) {
	fields := strings.Fields(string(line[bytes.LastIndexByte(line, ')')+1:]))
	if len(fields) < fieldsNeeded {
		return Status{}, fmt.Errorf("/proc says %q", line)
	}
	switch fields[stateField] {
	case "Z", "X", "x":
		return Status{State: Gone}, nil
	}
	ticks, err := strconv.ParseInt(fields[startField], 10, 64)
	if err != nil {
		return Status{}, fmt.Errorf("/proc says it started at tick %q", fields[startField])
	}
	boot, err := bootTime()
	if err != nil {
		return Status{}, err
	}
	s := Status{State: Running, StartedAt: boot.Add(time.Duration(ticks) * tick)}
	if state := fields[stateField]; state == "T" || state == "t" {
		s.State = Stopped
	}
	return s, nil
}

// bootTime is when the machine started, asked once: a clock that is set
// meanwhile must not make a process look like another one.
var bootTime = sync.OnceValues(func() (time.Time, error) {
	text, err := os.ReadFile("/proc/stat")
	if err != nil {
		return time.Time{}, fmt.Errorf("when did this machine start: %w", err)
	}
	for line := range strings.Lines(string(text)) {
		if seconds, ok := strings.CutPrefix(line, "btime "); ok {
			s, err := strconv.ParseInt(strings.TrimSpace(seconds), 10, 64)
			return time.Unix(s, 0).UTC(), err
		}
	}
	return time.Time{}, errors.New("when did this machine start: /proc/stat does not say")
})
