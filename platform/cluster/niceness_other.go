//go:build !linux

package cluster

import (
	"fmt"
	"syscall"
)

// BeNice lowers the priority of the whole process by n, so that what is
// measured never starves what measures.
func BeNice(n int) error {
	if err := syscall.Setpriority(syscall.PRIO_PROCESS, 0, n); err != nil {
		return fmt.Errorf("lower priority: %w", err)
	}
	return nil
}
