package cluster

import (
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"sync"

	"go.uber.org/zap"
)

// quietZap keeps etcd's client library from writing to the terminal; what it
// would say comes back as errors.
var quietZap = zap.NewNop()

// logs are files, one for each part of the platform, as they would be on
// machines of their own: an operator reads a router's log, not "the log".
type logs struct {
	dir   string
	mu    sync.Mutex
	files map[string]*os.File
}

func openLogs(dir string) (*logs, error) {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, fmt.Errorf("open the log directory: %w", err)
	}
	return &logs{dir: dir, files: map[string]*os.File{}}, nil
}

// of returns the logger of a part, which writes to PART.log.
func (l *logs) of(part string) *slog.Logger {
	l.mu.Lock()
	defer l.mu.Unlock()
	f, open := l.files[part]
	if !open {
		var err error
		f, err = os.OpenFile(filepath.Join(l.dir, part+".log"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
		if err != nil {
			// A full disk shows elsewhere too; what is left is standard error.
			f = os.Stderr
		}
		l.files[part] = f
	}
	return slog.New(slog.NewTextHandler(f, &slog.HandlerOptions{Level: slog.LevelInfo}))
}

// Close closes all files. Nothing may be logged afterwards.
func (l *logs) Close() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	var errs []error
	for _, f := range l.files {
		if f != os.Stderr {
			errs = append(errs, f.Close())
		}
	}
	return errors.Join(errs...)
}
