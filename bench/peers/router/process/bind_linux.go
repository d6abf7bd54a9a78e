package process

import (
	"os"
	"os/exec"
	"syscall"
)

// bindToParent gives the child a process group of its own, so that Ctrl-C on
// the terminal reaches the parent only, and has the kernel end it when its
// parent is gone. SIGTERM, since nginx must be able to tell its workers, which
// nobody else would.
func bindToParent(cmd *exec.Cmd) {
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGTERM}
}

// killGroup ends a child and all that it started.
func killGroup(p *os.Process) {
	_ = syscall.Kill(-p.Pid, syscall.SIGKILL) // An error means that it is gone already.
}
