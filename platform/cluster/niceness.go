package cluster

import (
	"fmt"
	"syscall"
)

// BeNiceTogether lowers the priority of every process in this one's group, all
// their threads included, to n. What they start later inherits it.
func BeNiceTogether(n int) error {
	if err := syscall.Setpriority(syscall.PRIO_PGRP, 0, n); err != nil {
		return fmt.Errorf("lower priority of the process group: %w", err)
	}
	return nil
}
