//go:build !linux

package subprocess

import (
	"os"
	"os/exec"
	"syscall"
)

// Bind can promise nothing here; KillGroup still ends the command.
func Bind(*exec.Cmd, syscall.Signal) {}

// KillGroup ends a command.
func KillGroup(p *os.Process) {
	_ = p.Kill() // An error means that it is gone already.
}
