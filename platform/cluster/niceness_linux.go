package cluster

import (
	"fmt"
	"os"
	"strconv"
	"syscall"
)

// BeNice lowers the priority of the whole process by n, so that what is
// measured never starves what measures. Linux keeps a nice value for every
// thread; threads started later inherit it from the one that starts them.
func BeNice(n int) error {
	tasks, err := os.ReadDir("/proc/self/task")
	if err != nil {
		return fmt.Errorf("lower priority: %w", err)
	}
	for _, task := range tasks {
		tid, err := strconv.Atoi(task.Name())
		if err != nil {
			return fmt.Errorf("lower priority of thread %q: %w", task.Name(), err)
		}
		if err := syscall.Setpriority(syscall.PRIO_PROCESS, tid, n); err != nil && err != syscall.ESRCH {
			return fmt.Errorf("lower priority of thread %d: %w", tid, err)
		}
	}
	return nil
}
