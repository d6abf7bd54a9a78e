package cluster

import (
	"os/exec"
	"strings"
	"testing"

	"breakbank/platform/supervise"
)

// TestPartsThatCannotRunAreNamed: otherwise all that is seen is a platform that
// does not come up. Not parallel: a process that is being started has a copy of
// each socket until it executes its program, and other tests listen again where
// one was closed.
func TestPartsThatCannotRunAreNamed(t *testing.T) {
	s := &spread{supervisor: supervise.New(supervise.Config{})}
	t.Cleanup(s.supervisor.Close)
	if err := s.crashes(); err != nil {
		t.Errorf("without parts: %v", err)
	}
	err := s.supervisor.Start(t.Context(), supervise.Part{Name: "nats", Command: func() *exec.Cmd { return exec.Command("false") }})
	if err != nil {
		t.Fatal(err)
	}
	eventually(t, "NATS is named", func() bool {
		err := s.crashes()
		return err != nil && strings.Contains(err.Error(), "nats: it has ended") && strings.Contains(err.Error(), "exit status 1")
	})
}
