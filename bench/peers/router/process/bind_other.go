//go:build !linux

package process

import (
	"os"
	"os/exec"
)

// bindToParent can promise nothing here; Kill still ends the child.
func bindToParent(*exec.Cmd) {}

// killGroup ends a child.
func killGroup(p *os.Process) {
	_ = p.Kill() // An error means that it is gone already.
}
