package discovery

import (
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"
)

func TestSnapshotFile(t *testing.T) {
	f := snapshotFile{dir: filepath.Join(t.TempDir(), "router-a1")}
	if s, err := f.load(); err != nil || s.Entries != nil {
		t.Errorf("before the first: %+v, %v", s, err)
	}
	entries := []Entry{{Service: "ledger", Revision: 7, Endpoints: []Endpoint{{Addr: "a2:1", Instance: "ledger-v1-1-a2"}}}, {Service: "pots"}}
	at := time.Date(2017, 10, 27, 14, 10, 0, 0, time.UTC)
	for revision := int64(1); revision <= 2; revision++ {
		if err := f.save(SaveSnapshot{Entries: entries, Revision: revision, SavedAt: at}); err != nil {
			t.Fatal(err)
		}
	}
	s, err := f.load()
	if err != nil || s.Revision != 2 || !s.SavedAt.Equal(at) || len(s.Entries) != 2 {
		t.Fatalf("%+v, %v", s, err)
	}
	if got := s.Entries[0]; got.Service != "ledger" || got.Revision != 7 || !slices.Equal(got.Endpoints, entries[0].Endpoints) {
		t.Errorf("entry %+v", got)
	}
	if files, err := os.ReadDir(f.dir); err != nil || len(files) != 1 {
		t.Errorf("left behind: %v, %v", files, err)
	}
	// A torn file is an error that says so, and no table.
	if err := os.WriteFile(filepath.Join(f.dir, snapshotName), []byte(`{"revision":3,"ent`), 0o600); err != nil {
		t.Fatal(err)
	}
	if s, err := f.load(); err == nil || s.Entries != nil {
		t.Errorf("torn: %+v, %v", s, err)
	}
	// Without a directory nothing is kept.
	if err := (snapshotFile{}).save(SaveSnapshot{Entries: entries}); err != nil {
		t.Error(err)
	}
}
