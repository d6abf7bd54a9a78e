package process

import (
	"os/exec"
	"runtime"
	"sync"
)

// starts starts every process.
var starts starter

// starter starts commands from one operating system thread, which lives as long
// as any of them: Linux sends a child its parent's-death signal when the thread
// that started it ends, not the process (golang/go#27505).
type starter struct {
	mu       sync.Mutex
	alive    int // processes, those being started included
	commands chan startCommand
	ended    chan struct{}
}

type startCommand struct {
	cmd     *exec.Cmd
	started chan<- error
}

// start starts a command. If that succeeds, release must follow when the
// process has ended.
func (s *starter) start(cmd *exec.Cmd) error {
	commands := s.hold()
	started := make(chan error, 1)
	commands <- startCommand{cmd, started}
	err := <-started
	if err != nil {
		s.release()
	}
	return err
}

func (s *starter) hold() chan<- startCommand {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.alive == 0 {
		s.commands, s.ended = make(chan startCommand), make(chan struct{})
		go startAll(s.commands, s.ended)
	}
	s.alive++
	return s.commands
}

// release gives the thread back when the last process has ended.
func (s *starter) release() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.alive--
	if s.alive == 0 {
		close(s.commands)
		<-s.ended
	}
}

func startAll(commands <-chan startCommand, ended chan<- struct{}) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	defer close(ended)
	for c := range commands {
		c.started <- c.cmd.Start()
	}
}
