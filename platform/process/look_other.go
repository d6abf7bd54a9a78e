//go:build !linux && !darwin

package process

import (
	"errors"
	"fmt"
	"syscall"
)

// Look asks the kernel about a process by its number. A process that is gone is
// no error. One that is stopped counts as running here.
func Look(pid int) (Status, error) {
	err := syscall.Kill(pid, 0)
	switch {
	case errors.Is(err, syscall.ESRCH):
		return Status{State: Gone}, nil
	case err != nil && !errors.Is(err, syscall.EPERM):
		return Status{}, fmt.Errorf("look at process %d: %w", pid, err)
	}
	return Status{State: Running}, nil
}
