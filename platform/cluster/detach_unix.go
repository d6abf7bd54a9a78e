//go:build unix

package cluster

import (
	"os/exec"
	"syscall"
)

// detach puts the child in a process group of its own: Ctrl-C on the terminal
// reaches the parent only, which then decides how the child ends.
func detach(cmd *exec.Cmd) {
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
}
