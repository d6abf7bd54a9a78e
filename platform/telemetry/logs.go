package telemetry

import (
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"

	adminv1 "breakbank/proto/admin/v1"
)

// LogFormat is how a line of a log is written.
type LogFormat string

// The formats.
const (
	JSON LogFormat = "json" // the default
	Text LogFormat = "text"
)

// Bounds of a part's log.
const (
	// latestLines is how many lines are kept in memory to be searched, and
	// latestBytes how much of them: with access logs on, one service writes at
	// most 100 lines a second.
	latestLines = 2000
	latestBytes = 1 << 20
	// maxLine is how much of a line is kept in memory; files have all of it.
	maxLine = 8 << 10
	// maxFile is how long a file may grow before it becomes PART.log.1, in the
	// place of the one that was that before.
	maxFile = 64 << 20
)

// LogsConfig says where logs go. They go to memory in any case, for Search.
type LogsConfig struct {
	// Dir gets a file PART.log for each part, to which is appended; empty: no
	// files.
	Dir string
	// Stderr: lines go to standard error too, as a container's must.
	Stderr bool
	// Also gets each line too, in one write, whichever part it is of; nil:
	// nobody does. It must bear writes from many goroutines, as a file does.
	Also   io.Writer
	Format LogFormat
	Level  slog.Level // info is the zero value
}

// Logs are those of a process, one for each of its parts, as they would be on
// machines of their own: an operator reads a router's log, not "the log". It is
// safe for concurrent use.
type Logs struct {
	config LogsConfig
	stderr io.Writer

	mu    sync.Mutex
	parts map[string]*partLog
}

// OpenLogs returns logs; the caller closes them after whatever writes to them.
func OpenLogs(c LogsConfig) (*Logs, error) {
	switch c.Format {
	case "":
		c.Format = JSON
	case JSON, Text:
	default:
		return nil, fmt.Errorf("open logs: format %q is neither %s nor %s", c.Format, JSON, Text)
	}
	if c.Dir != "" {
		if err := os.MkdirAll(c.Dir, 0o755); err != nil {
			return nil, fmt.Errorf("open logs: %w", err)
		}
	}
	return &Logs{config: c, stderr: os.Stderr, parts: map[string]*partLog{}}, nil
}

// Of returns the logger of a part; every line says part=PART.
func (l *Logs) Of(part string) *slog.Logger {
	to := l.part(part)
	options := &slog.HandlerOptions{Level: l.config.Level}
	var h slog.Handler = slog.NewJSONHandler(to, options)
	if l.config.Format == Text {
		h = slog.NewTextHandler(to, options)
	}
	return slog.New(h).With("part", part)
}

func (l *Logs) part(name string) *partLog {
	l.mu.Lock()
	defer l.mu.Unlock()
	if p, ok := l.parts[name]; ok {
		return p
	}
	p := &partLog{also: l.config.Also}
	if l.config.Stderr {
		p.stderr = l.stderr
	}
	if l.config.Dir != "" {
		p.path = filepath.Join(l.config.Dir, name+".log")
		if err := p.open(); err != nil {
			// A full disk shows elsewhere too; what is left is standard error.
			p.stderr = l.stderr
		}
	}
	l.parts[name] = p
	return p
}

// Search looks for a text in the latest lines of the logs whose parts' names
// begin with prefix. In JSON a quotation mark is escaped: the text is found
// with and without.
func (l *Logs) Search(prefix, text string) *adminv1.SearchLogsResponse {
	l.mu.Lock()
	names := make([]string, 0, len(l.parts))
	for name := range l.parts {
		if strings.HasPrefix(name, prefix) {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	parts := make([]*partLog, len(names))
	for i, name := range names {
		parts[i] = l.parts[name]
	}
	l.mu.Unlock()

	resp := &adminv1.SearchLogsResponse{Logs: int64(len(parts))}
	var oldest line
	for i, p := range parts {
		found, first := p.search(text)
		resp.Found += found
		if found > 0 && (resp.FirstLog == "" || first.at.Before(oldest.at)) {
			oldest, resp.First, resp.FirstLog = first, first.text, names[i]
		}
	}
	return resp
}

// Close closes the files. What is logged afterwards is only in memory.
func (l *Logs) Close() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	var errs []error
	for _, p := range l.parts {
		errs = append(errs, p.close())
	}
	return errors.Join(errs...)
}
