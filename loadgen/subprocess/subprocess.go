// Package subprocess starts programs that end with this one.
package subprocess

import (
	"os/exec"
	"runtime"
)

// Start starts a command, bound to this process with Bind, and calls ended
// once, from a goroutine of its own, with how it ended.
//
// That goroutine keeps one operating system thread for the command: Linux ends a
// child when the thread that started it ends, not the process.
func Start(cmd *exec.Cmd, ended func(error)) error {
	started := make(chan error, 1)
	go func() {
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		err := cmd.Start()
		started <- err
		if err == nil {
			ended(cmd.Wait())
		}
	}()
	return <-started
}
