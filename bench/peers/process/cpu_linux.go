package process

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"time"

	"golang.org/x/sys/unix"
)

// treeMax bounds the processes of one tree. A proxy has one for each core and
// a few more.
const treeMax = 4096

// cpuTime is the user and system time of a process and all its threads, ended
// ones included, to the nanosecond. The id of a process's clock is made from
// its process id as clock_getcpuclockid(3) makes it: its complement, shifted by
// three, with CPUCLOCK_SCHED (2).
func cpuTime(pid int) (time.Duration, error) {
	const scheduled = 2
	var spent unix.Timespec
	if err := unix.ClockGettime(int32(^pid<<3|scheduled), &spent); err != nil {
		return 0, fmt.Errorf("clock of process %d: %w", pid, err)
	}
	return time.Duration(spent.Nano()), nil
}

// tree lists a process and everything that descends from it (proc(5),
// /proc/PID/task/TID/children).
func tree(root int) ([]int, error) {
	ids := []int{root}
	for i := 0; i < len(ids); i++ {
		threads, err := filepath.Glob(filepath.Join("/proc", strconv.Itoa(ids[i]), "task", "*", "children"))
		if err != nil {
			return nil, err
		}
		for _, path := range threads {
			text, err := os.ReadFile(path)
			if err != nil {
				continue // The thread has ended, and its children are its process's.
			}
			for _, field := range bytes.Fields(text) {
				id, err := strconv.Atoi(string(field))
				if err != nil {
					return nil, fmt.Errorf("%s: %w", path, err)
				}
				ids = append(ids, id)
			}
		}
		if len(ids) > treeMax {
			return nil, fmt.Errorf("more than %d processes", treeMax)
		}
	}
	return ids, nil
}
