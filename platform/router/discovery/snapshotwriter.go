package discovery

import (
	"log/slog"
	"math/rand/v2"
	"sync/atomic"
	"time"
)

// snapshotSpread is how long a table may wait to be written. The routers of a
// cluster hear of a change together; where they share a disk, or a machine, they
// must not all write together too.
const snapshotSpread = time.Second

// snapshotWriter writes tables to disk in a goroutine of its own, so that no
// change waits for a disk. Of several tables that wait, only the last is
// written.
type snapshotWriter struct {
	file snapshotFile
	log  *slog.Logger
	next atomic.Pointer[SaveSnapshot]
	wake chan struct{} // closed: write what there is, and end
}

func newSnapshotWriter(file snapshotFile, log *slog.Logger) *snapshotWriter {
	return &snapshotWriter{file: file, log: log, wake: make(chan struct{}, 1)}
}

// save has a table written soon. It does not wait.
func (w *snapshotWriter) save(s SaveSnapshot) {
	w.next.Store(&s)
	select {
	case w.wake <- struct{}{}:
	default:
	}
}

// run writes until the wake channel is closed.
func (w *snapshotWriter) run(closing <-chan struct{}) {
	for range w.wake {
		// Which moment is of no consequence, so nobody needs to repeat it.
		timer := time.NewTimer(rand.N(snapshotSpread))
		select {
		case <-timer.C:
		case <-closing:
			timer.Stop()
		}
		w.write()
	}
	w.write()
}

func (w *snapshotWriter) write() {
	s := w.next.Swap(nil)
	if s == nil {
		return
	}
	if err := w.file.save(*s); err != nil {
		w.log.Warn(err.Error())
	}
}
