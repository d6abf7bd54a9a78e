// Package manifest writes the files of a run and says what they were when it
// ended.
package manifest

import (
	"bufio"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"breakbank/bench/result"
)

// Name is the file that names all others.
const Name = "manifest.json"

// Manifest says what a run's directory held when the run ended.
type Manifest struct {
	RunID       string             `json:"run_id"`
	Seed        uint64             `json:"seed"`
	Environment result.Environment `json:"environment"`
	Files       []File             `json:"files"`
}

// File is one file, its path relative to the directory with slashes.
type File struct {
	Path   string `json:"path"`
	Bytes  int64  `json:"bytes"`
	SHA256 string `json:"sha256"`
}

// Sum reads what a directory holds at a path relative to it.
func Sum(dir, relative string) (File, error) {
	f, err := os.Open(filepath.Join(dir, relative))
	if err != nil {
		return File{}, err
	}
	defer f.Close()
	h := sha256.New()
	size, err := io.Copy(h, f)
	return File{Path: filepath.ToSlash(relative), Bytes: size, SHA256: hex.EncodeToString(h.Sum(nil))}, err
}

// WriteFile writes through a buffer and reports a full disk, which may show only
// at the end.
func WriteFile(path string, write func(io.Writer) error) (err error) {
	f, err := os.Create(path)
	if err != nil {
		return fmt.Errorf("write the result: %w", err)
	}
	defer func() {
		if err = errors.Join(err, f.Close()); err != nil {
			err = fmt.Errorf("write %s: %w", path, err)
		}
	}()
	w := bufio.NewWriter(f)
	if err := write(w); err != nil {
		return err
	}
	return w.Flush()
}
