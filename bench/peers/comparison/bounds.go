package comparison

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"
)

// overtime is how many times the expected a run may take, and a minute.
const overtime = 3

// Bounded ends a run that takes much longer than it should.
func Bounded(ctx context.Context, expected time.Duration) (context.Context, context.CancelFunc) {
	limit := overtime*expected + time.Minute
	return context.WithTimeoutCause(ctx, limit, fmt.Errorf("the run took longer than %v", limit))
}

// InDirectory does something with a new directory, which is gone afterwards. of
// says in errors whose it is, such as "the peers".
func InDirectory(of string, do func(dir string) error) error {
	dir, err := os.MkdirTemp("", "breakbank-peers-")
	if err != nil {
		return fmt.Errorf("make a directory for %s: %w", of, err)
	}
	err = do(dir)
	if gone := os.RemoveAll(dir); gone != nil {
		err = errors.Join(err, fmt.Errorf("remove %s' directory: %w", of, gone))
	}
	return err
}
