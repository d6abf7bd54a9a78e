package telemetry

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"sync"
	"time"
)

// line is one that is kept in memory.
type line struct {
	at   time.Time
	text string
}

// partLog is where the lines of one part go. It is safe for concurrent use.
type partLog struct {
	path   string    // of the file; "": there is none
	stderr io.Writer // nil: not there
	also   io.Writer // nil: nobody

	mu     sync.Mutex
	file   *os.File // nil: none, or closed
	size   int64
	latest []line // a ring once it is full
	oldest int    // its first
	bytes  int
}

// Write takes one line, as slog's handlers write them. A file that takes no
// more is no reason to fail what is being logged about.
func (p *partLog) Write(text []byte) (int, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.keep(text)
	for _, w := range []io.Writer{p.stderr, p.also} {
		if w != nil {
			_, _ = w.Write(text)
		}
	}
	if p.file == nil {
		return len(text), nil
	}
	if p.size+int64(len(text)) > maxFile {
		p.rotate()
	}
	if p.file != nil {
		n, _ := p.file.Write(text)
		p.size += int64(n)
	}
	return len(text), nil
}

// keep remembers a line, and forgets what is beyond the bounds.
func (p *partLog) keep(text []byte) {
	text = bytes.TrimRight(text, "\n")
	l := line{at: time.Now(), text: strings.ToValidUTF8(string(text[:min(len(text), maxLine)]), "?")}
	if len(p.latest) < latestLines {
		p.latest = append(p.latest, l)
	} else {
		p.bytes -= len(p.latest[p.oldest].text)
		p.latest[p.oldest] = l
		p.oldest = (p.oldest + 1) % latestLines
	}
	p.bytes += len(l.text)
	for i := p.oldest; p.bytes > latestBytes; i = (i + 1) % len(p.latest) {
		p.bytes -= len(p.latest[i].text)
		p.latest[i].text = ""
	}
}

// search counts the lines that have a text, and returns the oldest.
func (p *partLog) search(text string) (found int64, first line) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for i := range p.latest {
		l := p.latest[(p.oldest+i)%len(p.latest)]
		if l.text == "" || !strings.Contains(l.text, text) && !strings.Contains(strings.ReplaceAll(l.text, `\"`, `"`), text) {
			continue
		}
		if found == 0 {
			first = l
		}
		found++
	}
	return found, first
}

func (p *partLog) open() error {
	f, err := os.OpenFile(p.path, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		return fmt.Errorf("open a log: %w", err)
	}
	info, err := f.Stat()
	if err != nil {
		return errors.Join(fmt.Errorf("open a log: %w", err), f.Close())
	}
	p.file, p.size = f, info.Size()
	return nil
}

// rotate begins a new file. If that fails there is none.
func (p *partLog) rotate() {
	_ = p.file.Close()
	p.file = nil
	if os.Rename(p.path, p.path+".1") == nil {
		_ = p.open()
	}
}

func (p *partLog) close() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.file == nil {
		return nil
	}
	err := p.file.Close()
	p.file = nil
	return err
}
