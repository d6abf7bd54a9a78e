package subprocess

import (
	"errors"
	"os/exec"
	"strings"
	"syscall"
	"testing"
)

func TestHowItEndedIsTold(t *testing.T) {
	cmd := exec.Command("sh", "-c", "exec kill -9 $$")
	Bind(cmd, syscall.SIGKILL)
	ended := make(chan error, 1)
	if err := Start(cmd, func(err error) { ended <- err }); err != nil {
		t.Skipf("SKIPPED: there is no shell: %v", err)
	}
	if err, as := errors.AsType[*exec.ExitError](<-ended); !as || err.Success() {
		t.Errorf("%v", err)
	}
}

func TestAProgramThatIsNotThereEndsNothing(t *testing.T) {
	err := Start(exec.Command("/nonsense"), func(error) { t.Error("it ended") })
	if err == nil {
		t.Error("it started")
	}
}

func TestTheTailIsTheEnd(t *testing.T) {
	var tail Tail
	if tail.Last() != "" || tail.Text() != "" {
		t.Errorf("%q of nothing", tail.Text())
	}
	for range 3 {
		if _, err := tail.Write([]byte(strings.Repeat("x", tailMax/2))); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := tail.Write([]byte("\nthe end\n\n")); err != nil {
		t.Fatal(err)
	}
	if text := tail.Text(); len(text) > tailMax || !strings.HasPrefix(text, "xx") || tail.Last() != "the end" {
		t.Errorf("%d bytes, last line %q", len(text), tail.Last())
	}
}
