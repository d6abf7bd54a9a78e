package cluster

import (
	"errors"
	"fmt"
	"os"
	"strconv"
	"syscall"
)

const (
	// nicePasses bounds how often the threads are gone through: a second pass
	// finds those that were started during the first, a third hardly any.
	nicePasses = 10
	// kernelNiceZero is what the system call answers for a nice value of 0; it
	// counts the other way round, so that no answer looks like an error.
	kernelNiceZero = 20
)

// BeNice lowers the priority of the whole process to n, so that what is
// measured never starves what measures. Linux keeps a nice value for every
// thread; threads started later inherit it from the one that starts them.
func BeNice(n int) error {
	for range nicePasses {
		lowered, err := lowerThreads(n)
		if err != nil {
			return fmt.Errorf("lower priority: %w", err)
		}
		if lowered == 0 {
			return nil
		}
	}
	return fmt.Errorf("lower priority: new threads after %d passes", nicePasses)
}

// lowerThreads lowers the threads that there are now and counts those that it
// had to.
func lowerThreads(n int) (lowered int, err error) {
	tasks, err := os.ReadDir("/proc/self/task")
	if err != nil {
		return 0, err
	}
	for _, task := range tasks {
		tid, err := strconv.Atoi(task.Name())
		if err != nil {
			return 0, fmt.Errorf("thread %q: %w", task.Name(), err)
		}
		priority, err := syscall.Getpriority(syscall.PRIO_PROCESS, tid)
		if err == nil && kernelNiceZero-priority < n {
			lowered++
			err = syscall.Setpriority(syscall.PRIO_PROCESS, tid, n)
		}
		if err != nil && !errors.Is(err, syscall.ESRCH) { // A thread may have ended.
			return 0, fmt.Errorf("thread %d: %w", tid, err)
		}
	}
	return lowered, nil
}
