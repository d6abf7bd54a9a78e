package telemetry

import "sync"

// handling counts the handlers that run, which net/http does not wait for. A
// sync.WaitGroup will not do: net/http may begin a handler while the last of
// the others has just ended and Close is about to say so, and a group that
// grows from zero while somebody waits for it panics.
//
// All methods may be called from any goroutine.
type handling struct {
	mu      sync.Mutex
	running int
	ended   chan struct{} // made by over; closed once none runs
}

// begin says whether a handler may run; then end must be called after it.
func (h *handling) begin() bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.ended != nil {
		return false
	}
	h.running++
	return true
}

func (h *handling) end() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.running--
	if h.running == 0 && h.ended != nil {
		close(h.ended)
	}
}

// over lets no more handlers begin; what it returns is closed once none runs.
func (h *handling) over() <-chan struct{} {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.ended == nil {
		h.ended = make(chan struct{})
		if h.running == 0 {
			close(h.ended)
		}
	}
	return h.ended
}
