package evidence

import (
	"os"
	"slices"
	"strconv"
	"strings"
	"time"
)

const (
	// procDir is of Linux; elsewhere nothing is known of processes.
	procDir = "/proc"
	// tick is USER_HZ, which is 100 a second wherever Go runs (time(7)).
	tick = 10 * time.Millisecond
	// processesMax bounds how many processes are looked at: just before a load
	// begins there are some 50 ms for it, and each takes 0.02.
	processesMax = 2000
)

// machineTime is how the processors have spent their time since the machine was
// started, all together: in processes, and at all.
type machineTime struct{ busy, all time.Duration }

func readMachineTime() (machineTime, bool) {
	text, err := os.ReadFile(procDir + "/stat")
	if err != nil {
		return machineTime{}, false
	}
	return machineTimeIn(string(text))
}

// machineTimeIn reads the first line: user, nice, system, idle, iowait, irq,
// softirq, steal (proc(5)).
func machineTimeIn(text string) (t machineTime, ok bool) {
	const system, steal = 3, 8
	line, _, _ := strings.Cut(text, "\n")
	fields := strings.Fields(line)
	if len(fields) <= steal || fields[0] != "cpu" {
		return machineTime{}, false
	}
	for i := 1; i <= steal; i++ {
		spent, err := ticks(fields[i])
		if err != nil {
			return machineTime{}, false
		}
		t.all += spent
		if i <= system {
			t.busy += spent
		}
	}
	return t, true
}

func ticks(text string) (time.Duration, error) {
	n, err := strconv.ParseInt(text, 10, 64)
	return time.Duration(n) * tick, err
}

// process is one process at some moment.
type process struct {
	name    string
	parent  int
	started string // tells it from another that had its number before
	// used is its processor time, reaped that of its children which have ended,
	// in all of their lives.
	used, reaped time.Duration
}

// since is what it used since an earlier look, which may have been at another
// process, or at none.
func (p process) since(before process) (used, reaped time.Duration) {
	if before.started != p.started {
		return p.used, p.reaped
	}
	return p.used - before.used, p.reaped - before.reaped
}

// readProcesses reads all processes that can be seen; ok is false if that is not
// told, or if they are too many.
func readProcesses() (map[int]process, bool) {
	all := map[int]process{}
	for _, pid := range processNumbers() {
		if len(all) == processesMax {
			return nil, false
		}
		text, err := os.ReadFile(procDir + "/" + strconv.Itoa(pid) + "/stat")
		if err != nil {
			continue // It has just ended.
		}
		if p, ok := processIn(string(text)); ok {
			all[pid] = p
		}
	}
	return all, len(all) > 0
}

func processNumbers() (pids []int) {
	dir, err := os.Open(procDir)
	if err != nil {
		return nil
	}
	defer dir.Close()
	names, _ := dir.Readdirnames(-1) // what could be read
	for _, name := range names {
		if pid, err := strconv.Atoi(name); err == nil {
			pids = append(pids, pid)
		}
	}
	return pids
}

// processIn reads /proc/PID/stat (proc(5)). The name, in parentheses, may hold
// anything, parentheses too.
func processIn(text string) (p process, ok bool) {
	const parent, userTime, reapedUserTime, started = 1, 11, 13, 19 // counted after the name
	open, end := strings.IndexByte(text, '('), strings.LastIndexByte(text, ')')
	if open < 0 || end < open {
		return process{}, false
	}
	fields := strings.Fields(text[end+1:])
	if len(fields) <= started {
		return process{}, false
	}
	p = process{name: text[open+1 : end], started: fields[started]}
	var err error
	if p.parent, err = strconv.Atoi(fields[parent]); err != nil {
		return process{}, false
	}
	for i, field := range fields[userTime : reapedUserTime+2] {
		spent, err := ticks(field)
		switch {
		case err != nil:
			return process{}, false
		case userTime+i < reapedUserTime:
			p.used += spent
		default:
			p.reaped += spent
		}
	}
	return p, true
}

// childrenOf are the processes that each has started and that are still there.
func childrenOf(processes map[int]process) map[int][]int {
	children := map[int][]int{}
	for pid, p := range processes {
		children[p.parent] = append(children[p.parent], pid)
	}
	return children
}

// descendants are a process's children, theirs, and so on.
func descendants(of int, processes map[int]process) map[int]bool {
	children := childrenOf(processes)
	all, ahead := map[int]bool{}, slices.Clone(children[of])
	for len(ahead) > 0 {
		pid := ahead[len(ahead)-1]
		ahead = ahead[:len(ahead)-1]
		if !all[pid] {
			all[pid] = true
			ahead = append(ahead, children[pid]...)
		}
	}
	return all
}
