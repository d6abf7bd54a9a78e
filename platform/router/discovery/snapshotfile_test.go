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
	entries := []Entry{{Service: "ledger", Revision: 7, Endpoints: []Endpoint{{Addr: "a2:1", Instance: "ledger-v1-1-a2", Zone: "a"}, {Addr: "b2:1"}}}, {Service: "pots"}}
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
	// Whatever names and addresses are made of, they come back.
	odd := []Entry{{Service: "a\"b\\c\nd", Endpoints: []Endpoint{{Addr: "[::1]:80", Instance: "ä\u2028"}, {}}}, {}}
	if err := f.save(SaveSnapshot{Entries: odd, Revision: 3, SavedAt: at}); err != nil {
		t.Fatal(err)
	}
	if s, err := f.load(); err != nil || len(s.Entries) != 2 || s.Entries[0].Service != odd[0].Service || !slices.Equal(s.Entries[0].Endpoints, odd[0].Endpoints) {
		t.Errorf("odd: %+v, %v", s, err)
	}
	// What was kept against the registry's word comes back as that.
	kept := Kept{Service: "pots", Endpoints: entries[0].Endpoints, Usual: 3}
	if err := f.save(SaveSnapshot{Kept: []Kept{kept}, Revision: 4, SavedAt: at}); err != nil {
		t.Fatal(err)
	}
	if s, err := f.load(); err != nil || s.Entries == nil || len(s.Kept) != 1 || s.Kept[0].Usual != 3 || !slices.Equal(s.Kept[0].Endpoints, kept.Endpoints) {
		t.Errorf("kept: %+v, %v", s, err)
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
