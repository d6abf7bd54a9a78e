package subprocess

import (
	"os"
	"os/exec"
	"syscall"
)

// Bind gives a command a process group of its own, so that Ctrl-C on the terminal
// reaches this process only, and has the kernel send it a signal when this
// process is gone.
func Bind(cmd *exec.Cmd, signal syscall.Signal) {
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: signal}
}

// KillGroup ends a bound command and all that it started.
func KillGroup(p *os.Process) {
	_ = syscall.Kill(-p.Pid, syscall.SIGKILL) // An error means that it is gone already.
}
