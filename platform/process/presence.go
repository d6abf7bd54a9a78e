package process

import (
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"sync"
	"syscall"
)

// presenceEnv tells a child what it shows: the number of a file descriptor, a
// colon and the pipe's identity; several with commas between them.
const presenceEnv = "BREAKBANK_PRESENCE_FD"

// firstExtraFile is the number of the first of exec.Cmd.ExtraFiles in the child.
const firstExtraFile = 3

// Presence tells when the last of the processes that show it is gone: those that
// were started with its file, and all that they started through this package. It
// is a pipe that they hold open and never use; the kernel closes it for them,
// however they end. It is safe for concurrent use.
type Presence struct {
	shown *os.File // the end that descendants hold
	seen  *os.File
	watch sync.Once
	gone  chan struct{}
}

// NewPresence returns a presence that nobody shows yet. Close gives it back.
func NewPresence() (*Presence, error) {
	seen, shown, err := os.Pipe()
	if err != nil {
		return nil, fmt.Errorf("make a presence: %w", err)
	}
	return &Presence{shown: shown, seen: seen, gone: make(chan struct{})}, nil
}

// File is what is handed to Start. After Gone or Close nothing can be started
// with it.
func (p *Presence) File() *os.File { return p.shown }

// Gone is closed when no process shows the presence any more, or Close was
// called. This process gives up its own end with the first call, so that
// everything must have been started before. A process that is gone may not have
// been waited for by its parent yet.
func (p *Presence) Gone() <-chan struct{} {
	p.watch.Do(func() {
		_ = p.shown.Close()
		go func() {
			defer close(p.gone)
			_, _ = io.Copy(io.Discard, p.seen) // Ends when the last has closed it, or Close has.
		}()
	})
	return p.gone
}

// Close stops watching. It may be called more than once.
func (p *Presence) Close() {
	gone := p.Gone()
	_ = p.seen.Close()
	<-gone
}

// inherited is what this process shows to its ancestors.
var inherited = sync.OnceValue(func() []*os.File {
	var files []*os.File
	for named := range strings.SplitSeq(os.Getenv(presenceEnv), ",") {
		if f, ok := inheritedFile(named); ok {
			files = append(files, f)
		}
	}
	return files
})

// inheritedFile finds a presence by its name in the environment. There is none
// if this process was started by other means than its parent.
func inheritedFile(named string) (*os.File, bool) {
	number, pipe, _ := strings.Cut(named, ":")
	fd, err := strconv.Atoi(number)
	if err != nil || fd < firstExtraFile {
		return nil, false
	}
	// A second descriptor: a file that is not ours must not be closed with this
	// one, if it turns out to be none.
	mine, err := syscall.Dup(fd)
	if err != nil {
		return nil, false
	}
	syscall.CloseOnExec(mine)
	f := os.NewFile(uintptr(mine), "presence")
	if found, err := identity(f); err != nil || found != pipe {
		_ = f.Close()
		return nil, false
	}
	syscall.CloseOnExec(fd)
	return f, true
}

// pass adds files after those that the command passes on already, and returns
// how the environment names them.
func pass(cmd *exec.Cmd, files []*os.File) (string, error) {
	names := make([]string, len(files))
	for i, f := range files {
		pipe, err := identity(f)
		if err != nil {
			return "", errors.Join(errors.New("it was given up"), err)
		}
		names[i] = fmt.Sprintf("%d:%s", firstExtraFile+len(cmd.ExtraFiles), pipe)
		cmd.ExtraFiles = append(cmd.ExtraFiles, f)
	}
	return strings.Join(names, ","), nil
}
