package discovery

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"
)

// snapshotName is the file in the router's own directory.
const snapshotName = "table.json"

// snapshotFile keeps the last good table on disk. It is replaced by renaming,
// so that a router that dies while writing leaves the one before; it is not
// synced, because what a power cut takes is only a cache.
type snapshotFile struct{ dir string }

type savedTable struct {
	Revision int64     `json:"revision"`
	SavedAt  time.Time `json:"saved_at"`
	Entries  []Entry   `json:"entries"`
}

func (f snapshotFile) save(s SaveSnapshot) error {
	if f.dir == "" {
		return nil
	}
	data, err := json.Marshal(savedTable{Revision: s.Revision, SavedAt: s.SavedAt.UTC(), Entries: s.Entries})
	if err != nil {
		return fmt.Errorf("encode the snapshot: %w", err)
	}
	if err := os.MkdirAll(f.dir, 0o755); err != nil {
		return fmt.Errorf("save the snapshot: %w", err)
	}
	// Two routers share the directory while one replaces the other.
	temporary, err := os.CreateTemp(f.dir, snapshotName+".*")
	if err != nil {
		return fmt.Errorf("save the snapshot: %w", err)
	}
	defer func() { _ = os.Remove(temporary.Name()) }() // gone already if all went well
	_, err = temporary.Write(data)
	if err := errors.Join(err, temporary.Close()); err != nil {
		return fmt.Errorf("save the snapshot: %w", err)
	}
	if err := os.Rename(temporary.Name(), filepath.Join(f.dir, snapshotName)); err != nil {
		return fmt.Errorf("save the snapshot: %w", err)
	}
	return nil
}

// load returns the table on disk, or one without entries if there is none.
func (f snapshotFile) load() (SnapshotLoaded, error) {
	if f.dir == "" {
		return SnapshotLoaded{}, nil
	}
	data, err := os.ReadFile(filepath.Join(f.dir, snapshotName))
	if errors.Is(err, fs.ErrNotExist) {
		return SnapshotLoaded{}, nil
	}
	if err != nil {
		return SnapshotLoaded{}, fmt.Errorf("load the snapshot: %w", err)
	}
	var saved savedTable
	if err := json.Unmarshal(data, &saved); err != nil {
		return SnapshotLoaded{}, fmt.Errorf("load the snapshot: %w", err)
	}
	return SnapshotLoaded{Entries: saved.Entries, Revision: saved.Revision, SavedAt: saved.SavedAt}, nil
}
