package workers

import (
	"os"
	"testing"
	"time"

	"go.uber.org/goleak"
)

// roleVariable makes the test binary one of roles.
const roleVariable = "BREAKBANK_TEST_ROLE"

func TestMain(m *testing.M) {
	if play, ok := roles[os.Getenv(roleVariable)]; ok {
		os.Exit(play())
	}
	goleak.VerifyTestMain(m)
}

// soon bounds whatever a test waits for.
const soon = 20 * time.Second

// eventually waits for a condition.
func eventually(t *testing.T, what string, holds func() bool) {
	t.Helper()
	deadline, poll := time.NewTimer(soon), time.NewTicker(5*time.Millisecond)
	defer deadline.Stop()
	defer poll.Stop()
	for !holds() {
		select {
		case <-deadline.C:
			t.Fatalf("not within %v: %s", soon, what)
		case <-poll.C:
		}
	}
}

// receive waits for what comes on a channel.
func receive[T any](t *testing.T, what string, from <-chan T) T {
	t.Helper()
	deadline := time.NewTimer(soon)
	defer deadline.Stop()
	select {
	case v := <-from:
		return v
	case <-deadline.C:
		t.Fatalf("not within %v: %s", soon, what)
		panic("not reached")
	}
}
