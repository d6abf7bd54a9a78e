package process

import (
	"errors"
	"fmt"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// States in kinfo_proc (sys/proc.h).
const (
	procStopped = 4
	procZombie  = 5
)

// Look asks the kernel about a process by its number. A process that is gone is
// no error.
func Look(pid int) (Status, error) {
	info, err := unix.SysctlKinfoProc("kern.proc.pid", pid)
	switch {
	case errors.Is(err, syscall.EIO), errors.Is(err, syscall.ESRCH): // An answer without a process is EIO.
		return Status{State: Gone}, nil
	case err != nil:
		return Status{}, fmt.Errorf("look at process %d: %w", pid, err)
	case info.Proc.P_stat == procZombie:
		return Status{State: Gone}, nil
	}
	s := Status{State: Running, StartedAt: time.Unix(info.Proc.P_starttime.Unix()).UTC()}
	if info.Proc.P_stat == procStopped {
		s.State = Stopped
	}
	return s, nil
}
