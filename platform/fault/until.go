package fault

import (
	"context"
	"fmt"
	"time"
)

// lookAgain is the pause between two looks at a victim.
const lookAgain = 10 * time.Millisecond

// until looks at a victim until it shows what is expected, for at most limit.
func until(ctx context.Context, limit time.Duration, shown func() bool) error {
	ctx, cancel := context.WithTimeoutCause(ctx, limit, fmt.Errorf("not within %v", limit))
	defer cancel()
	again := time.NewTicker(lookAgain)
	defer again.Stop()
	for !shown() {
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-again.C:
		}
	}
	return nil
}
