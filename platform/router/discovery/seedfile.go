package discovery

import (
	"fmt"
	"io"
	"io/fs"
	"os"
	"sync"
)

// maxSeedBytes bounds a seed file: 1,000 services of ten instances are a
// quarter of a megabyte.
const maxSeedBytes = 4 << 20

// SeedFile is a table that people write, in a file:
//
//	services:
//	  ledger: [10.0.0.1:8080, 10.0.0.2:8080]
//
// A file that cannot be read, or has anything wrong in it, changes nothing. Its
// methods may be called from any goroutine.
type SeedFile struct {
	path   string
	source *Static

	mu   sync.Mutex  // held while reading
	read fs.FileInfo // of what was read last; nil: there was no file
	seen fs.FileInfo // at the last poll
}

// OpenSeedFile reads a file. Its error has a line for each thing that is wrong,
// with file and line.
func OpenSeedFile(path string) (*SeedFile, error) {
	info, _ := os.Stat(path) // what fails, fails again when it is read
	table, err := readSeed(path)
	if err != nil {
		return nil, err
	}
	return &SeedFile{path: path, source: NewStatic("seed "+path, table), read: info, seen: info}, nil
}

// Source is what a router reads the table from.
func (f *SeedFile) Source() Source { return f.source }

// Reread takes what the file says now.
func (f *SeedFile) Reread() error {
	f.mu.Lock()
	defer f.mu.Unlock()
	info, _ := os.Stat(f.path) // before reading: a change in between is seen
	return f.take(info)
}

// Poll rereads the file if it has changed, once it has not changed again since
// the poll before: half a table can look like a whole one. It reports whether
// it took or refused anything.
func (f *SeedFile) Poll() (reread bool, err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	info, _ := os.Stat(f.path)
	settled := same(info, f.seen)
	f.seen = info
	if !settled || same(info, f.read) {
		return false, nil
	}
	return true, f.take(info)
}

func (f *SeedFile) take(info fs.FileInfo) error {
	f.read, f.seen = info, info
	table, err := readSeed(f.path)
	if err != nil {
		return err
	}
	f.source.Replace(table)
	return nil
}

// same says whether two looks at a path saw the same file, unchanged.
func same(a, b fs.FileInfo) bool {
	if a == nil || b == nil {
		return a == nil && b == nil
	}
	return os.SameFile(a, b) && a.ModTime().Equal(b.ModTime()) && a.Size() == b.Size()
}

func readSeed(path string) (Addresses, error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("read the seed: %w", err)
	}
	defer file.Close()
	data, err := io.ReadAll(io.LimitReader(file, maxSeedBytes+1))
	if err != nil {
		return nil, fmt.Errorf("read the seed: %w", err)
	}
	if len(data) > maxSeedBytes {
		return nil, fmt.Errorf("read the seed: %s is larger than %d bytes", path, maxSeedBytes)
	}
	return ParseSeed(path, data)
}
