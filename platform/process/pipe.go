package process

import (
	"errors"
	"fmt"
	"os"
	"syscall"
)

// identity names a pipe among all that are open on this machine. A number of a
// file descriptor says little: the descriptor may have been used anew.
func identity(pipe *os.File) (string, error) {
	info, err := pipe.Stat()
	if err != nil {
		return "", err
	}
	stat, ok := info.Sys().(*syscall.Stat_t)
	if !ok || info.Mode()&os.ModeNamedPipe == 0 {
		return "", errors.New("it is no pipe")
	}
	return fmt.Sprintf("%d-%d", stat.Dev, stat.Ino), nil
}
