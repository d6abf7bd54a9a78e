package main

import (
	"errors"
	"fmt"
	"os"

	"golang.org/x/sys/unix"
)

// Room that a run must find before it starts: about twice what monzo-2017 took
// at 1000/s, by du: 264 MiB of temporary space, most of it logs of etcd that are
// allocated ahead, and 6 MiB of results.
const (
	resultBytes   = 16 << 20
	platformBytes = 512 << 20
)

// mustHaveRoom makes the directory for results and proves, by writing there
// and to the place of temporary files, that a run will fit: better now than
// after four minutes.
func mustHaveRoom(out string) error {
	if err := mustTakeResults(out); err != nil {
		return err
	}
	if err := probe(os.TempDir(), platformBytes); err != nil {
		return fmt.Errorf("temporary directory %s cannot take the platform's data (choose another with TMPDIR): %w", os.TempDir(), err)
	}
	return nil
}

// mustTakeResults makes the directory for results and proves that they fit.
func mustTakeResults(out string) error {
	if err := os.MkdirAll(out, 0o755); err != nil {
		return fmt.Errorf("--out: %w", err)
	}
	if err := probe(out, resultBytes); err != nil {
		return fmt.Errorf("--out %s cannot take results: %w", out, err)
	}
	return nil
}

// probe proves that a file can be written in the directory and that so many
// bytes are free there.
func probe(dir string, bytes uint64) error {
	f, err := os.CreateTemp(dir, ".breakbank-probe-")
	if err != nil {
		return err
	}
	_, err = f.Write(make([]byte, os.Getpagesize()))
	if err := errors.Join(err, f.Close(), os.Remove(f.Name())); err != nil {
		return err
	}
	var disk unix.Statfs_t
	if err := unix.Statfs(dir, &disk); err != nil {
		return fmt.Errorf("ask for its free space: %w", err)
	}
	if free := disk.Bavail * uint64(disk.Bsize); free < bytes {
		return fmt.Errorf("%d MiB are free, a run needs %d: %w", free>>20, bytes>>20, unix.ENOSPC)
	}
	return nil
}
