// Package screen redraws a terminal while something runs. It reads no keys:
// Ctrl-C stays the signal that it is everywhere else.
package screen

import (
	"fmt"
	"io"
	"os"
	"sync"

	tea "charm.land/bubbletea/v2"
	"golang.org/x/term"
)

// Screen shows a model, which draws itself from what it is told. Its methods may
// be called from any goroutine.
type Screen struct {
	program *tea.Program
	done    sync.WaitGroup
}

// Over tells the model that there is nothing more to come: it should draw nothing
// and quit.
type Over struct{}

// Terminal is a writer as a terminal, if it is one.
func Terminal(out io.Writer) (f *os.File, is bool) {
	f, is = out.(*os.File)
	return f, is && term.IsTerminal(int(f.Fd()))
}

// Open shows a model on a terminal. The caller closes the screen.
func Open(out *os.File, model tea.Model) *Screen {
	s := &Screen{program: tea.NewProgram(model, tea.WithOutput(out), tea.WithInput(nil), tea.WithoutSignalHandler())}
	s.done.Go(func() {
		if _, err := s.program.Run(); err != nil {
			fmt.Fprintln(os.Stderr, "live view:", err)
		}
	})
	return s
}

// Tell hands the model a message.
func (s *Screen) Tell(message any) { s.program.Send(message) }

// Close gives the terminal back.
func (s *Screen) Close() {
	s.Tell(Over{})
	s.done.Wait()
}

// Full is a view of all of the terminal.
func Full(text string) tea.View {
	v := tea.NewView(text)
	v.AltScreen = true
	return v
}
