package discovery

import (
	"fmt"
	"log/slog"
	"path/filepath"
	"testing"
	"testing/synctest"
	"time"
)

// The table that was current when the router was closed is on disk, and of
// those that came close together only the last was written.
func TestSnapshotWriterWritesTheLast(t *testing.T) {
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		w := newSnapshotWriter(snapshotFile{dir}, slog.New(slog.DiscardHandler))
		closing := make(chan struct{})
		ended := make(chan struct{})
		go func() {
			w.run(closing)
			close(ended)
		}()
		saved := func() int64 {
			synctest.Wait()
			s, err := w.file.load()
			if err != nil {
				t.Fatal(err)
			}
			return s.Revision
		}
		for revision := int64(1); revision <= 3; revision++ {
			w.save(SaveSnapshot{Revision: revision})
		}
		if got := saved(); got != 0 {
			t.Errorf("revision %d was written at once", got)
		}
		<-time.After(snapshotSpread)
		if got := saved(); got != 3 {
			t.Errorf("revision %d is on disk", got)
		}
		w.save(SaveSnapshot{Revision: 4})
		close(closing)
		close(w.wake)
		<-ended
		if got := saved(); got != 4 {
			t.Errorf("revision %d is on disk in the end", got)
		}
	})
	if left, err := filepath.Glob(filepath.Join(dir, "*")); err != nil || len(left) != 1 {
		t.Errorf("left behind: %v, %v", left, err)
	}
}

// BenchmarkSnapshot is what 1,000 services of ten instances cost to write.
func BenchmarkSnapshot(b *testing.B) {
	s := SaveSnapshot{Revision: 1}
	for i := range 1000 {
		entry, err := linkerd2018.Parse(tenAddresses(fmt.Sprintf("service-%03d", i)))
		if err != nil {
			b.Fatal(err)
		}
		s.Entries = append(s.Entries, entry)
	}
	f := snapshotFile{b.TempDir()}
	b.ReportAllocs()
	for b.Loop() {
		if err := f.save(s); err != nil {
			b.Fatal(err)
		}
	}
}
