package book

import (
	"fmt"

	"github.com/cockroachdb/pebble/v2/vfs"
)

// Durability says what an acknowledged operation survives.
type Durability string

// The durabilities.
const (
	// Fsync survives the machine: the journal is on stable storage before the
	// acknowledgement.
	Fsync Durability = "fsync"
	// Memory survives the process, killed outright, but not the machine: the
	// operating system has the journal before the acknowledgement, in memory.
	Memory Durability = "memory"
)

// fileSystem is the file system that gives the durability.
func (d Durability) fileSystem() (vfs.FS, error) {
	switch d {
	case Fsync, "":
		return vfs.Default, nil
	case Memory:
		return pageCacheFS{vfs.Default}, nil
	default:
		return nil, fmt.Errorf("unknown durability %q: want %s or %s", d, Fsync, Memory)
	}
}

// pageCacheFS writes, but never asks for stable storage.
//
// An engine told not to sync would keep the end of its log in its own buffers
// and lose it with the process. One that syncs onto this file system writes
// everything out, and only the flush to the device is saved.
type pageCacheFS struct{ vfs.FS }

func (fs pageCacheFS) Create(name string, category vfs.DiskWriteCategory) (vfs.File, error) {
	return pageCached(fs.FS.Create(name, category))
}

func (fs pageCacheFS) OpenReadWrite(name string, category vfs.DiskWriteCategory, opts ...vfs.OpenOption) (vfs.File, error) {
	return pageCached(fs.FS.OpenReadWrite(name, category, opts...))
}

func (fs pageCacheFS) OpenDir(name string) (vfs.File, error) {
	return pageCached(fs.FS.OpenDir(name))
}

func (fs pageCacheFS) ReuseForWrite(oldname, newname string, category vfs.DiskWriteCategory) (vfs.File, error) {
	return pageCached(fs.FS.ReuseForWrite(oldname, newname, category))
}

// Unwrap implements [vfs.FS].
func (fs pageCacheFS) Unwrap() vfs.FS { return fs.FS }

func pageCached(f vfs.File, err error) (vfs.File, error) {
	if err != nil {
		return nil, err
	}
	return pageCacheFile{f}, nil
}

type pageCacheFile struct{ vfs.File }

func (pageCacheFile) Sync() error                { return nil }
func (pageCacheFile) SyncData() error            { return nil }
func (pageCacheFile) SyncTo(int64) (bool, error) { return false, nil }
