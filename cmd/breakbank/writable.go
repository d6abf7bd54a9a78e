package main

import (
	"errors"
	"fmt"
	"os"
)

// mustBeWritable makes a directory and proves, by writing a file there, that
// results will fit: better now than after four minutes.
func mustBeWritable(dir string) error {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return fmt.Errorf("--out: %w", err)
	}
	probe, err := os.CreateTemp(dir, ".writable-")
	if err != nil {
		return fmt.Errorf("--out %s cannot be written: %w", dir, err)
	}
	_, err = probe.Write(make([]byte, os.Getpagesize()))
	if err := errors.Join(err, probe.Close(), os.Remove(probe.Name())); err != nil {
		return fmt.Errorf("--out %s cannot be written: %w", dir, err)
	}
	return nil
}
