//go:build !linux

package process

import "syscall"

// dieWithParent can do nothing here: the lifeline must do.
func dieWithParent(*syscall.SysProcAttr) {}
