package process

import "syscall"

// dieWithParent has the kernel kill the child when its parent is gone. SIGKILL
// and no other signal: a stopped process takes no other.
func dieWithParent(a *syscall.SysProcAttr) { a.Pdeathsig = syscall.SIGKILL }
