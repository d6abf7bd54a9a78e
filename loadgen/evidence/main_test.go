package evidence_test

import (
	"os"
	"testing"
	"time"

	"go.uber.org/goleak"
)

const ms = int64(time.Millisecond)

// TestMain also is the main function of the processes that tests start: this
// binary, told by its environment what to be.
func TestMain(m *testing.M) {
	if job := os.Getenv(jobVariable); job != "" {
		os.Exit(work(job))
	}
	goleak.VerifyTestMain(m)
}
