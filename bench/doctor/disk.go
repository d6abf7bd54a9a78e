package doctor

import (
	"context"
	"os"
	"slices"
	"time"

	"golang.org/x/sys/unix"
)

const (
	// syncBytes is a block, as a small commit writes it.
	syncBytes = 4096
	// syncsMax is enough for a 99th percentile, syncsForP99 the least that it
	// needs.
	syncsMax    = 500
	syncsForP99 = 100
)

// probeDisk finds out whether a directory can be written, how much is free, and
// how long it takes to keep a block for good.
func probeDisk(ctx context.Context, dir string) Disk {
	d := Disk{Dir: dir}
	failed := func(err error) Disk {
		d.Error = err.Error()
		return d
	}
	var fs unix.Statfs_t
	if err := unix.Statfs(dir, &fs); err != nil {
		return failed(err)
	}
	d.FreeBytes = int64(fs.Bavail * uint64(fs.Bsize))
	f, err := os.CreateTemp(dir, ".breakbank-doctor-")
	if err != nil {
		return failed(err)
	}
	defer func() {
		_ = f.Close()
		_ = os.Remove(f.Name())
	}()
	block := make([]byte, syncBytes)
	var took []time.Duration
	for until := time.Now().Add(probePatience); len(took) < syncsMax && time.Now().Before(until) && ctx.Err() == nil; {
		began := time.Now()
		if _, err := f.Write(block); err != nil {
			return failed(err)
		}
		if err := f.Sync(); err != nil {
			return failed(err)
		}
		took = append(took, time.Since(began))
	}
	d.Syncs, d.P50, d.P99, d.Max = percentiles(took)
	return d
}

// percentiles of durations; p99 is 0 where there are too few for it.
func percentiles(took []time.Duration) (n int, p50, p99, most time.Duration) {
	if len(took) == 0 {
		return 0, 0, 0, 0
	}
	slices.Sort(took)
	at := func(percent int) time.Duration { return took[(len(took)*percent+99)/100-1] }
	if len(took) >= syncsForP99 {
		p99 = at(99)
	}
	return len(took), at(50), p99, took[len(took)-1]
}
