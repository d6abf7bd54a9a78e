package subprocess

import (
	"strings"
	"sync"
)

// tailMax is how much of what a program says is kept: the end of it.
const tailMax = 4 << 10

// Tail keeps the end of what is written to it. It is safe for concurrent use.
type Tail struct {
	mu   sync.Mutex
	text []byte
}

// Write implements io.Writer.
func (t *Tail) Write(p []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.text = append(t.text, p...)
	if over := len(t.text) - tailMax; over > 0 {
		t.text = append(t.text[:0], t.text[over:]...)
	}
	return len(p), nil
}

// Text is what is kept, without space around it.
func (t *Tail) Text() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return strings.TrimSpace(string(t.text))
}

// Last is the last line, or nothing.
func (t *Tail) Last() string {
	text := t.Text()
	return text[strings.LastIndexByte(text, '\n')+1:]
}
