package process

import (
	"io"
	"os"
	"sync"
)

// lifelineEnv tells a child which pipe its lifeline is. The variable may reach
// processes that were started by other means; their standard input is another
// one.
const lifelineEnv = "BREAKBANK_LIFELINE"

// Lifeline is closed when the parent of this process is gone. In a process that
// was not started by this package it is nil, and so never closed. Whatever the
// parent might write is read and dropped.
func Lifeline() <-chan struct{} { return lifeline() }

// lifeline reads from the first call on, as long as the process lives.
var lifeline = sync.OnceValue(func() <-chan struct{} {
	want := os.Getenv(lifelineEnv)
	if pipe, err := identity(os.Stdin); err != nil || pipe != want {
		return nil
	}
	gone := make(chan struct{})
	go func() {
		defer close(gone)
		_, _ = io.Copy(io.Discard, os.Stdin) // The end and an error mean the same.
	}()
	return gone
})
