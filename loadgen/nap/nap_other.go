//go:build !linux

// Package nap sleeps for a short time more exactly than the runtime's timers do,
// where the system has something for it (Linux).
package nap

import "time"

// For sleeps for about d.
func For(d time.Duration) { time.Sleep(d) }
