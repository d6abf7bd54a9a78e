package telemetry

import (
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
)

// TestHandlersBeginWhileTheLastEnds has handlers begin and end all through the
// waiting for them, so that their number passes zero again and again. With a
// sync.WaitGroup in its place, this panics within the first rounds.
func TestHandlersBeginWhileTheLastEnds(t *testing.T) {
	const rounds, callers = 1000, 4
	for range rounds {
		var h handling
		var inside atomic.Int64
		var begun, calling sync.WaitGroup
		for range callers {
			begun.Add(1)
			calling.Go(func() {
				for first := true; h.begin(); first = false {
					inside.Add(1)
					if first {
						begun.Done()
					}
					runtime.Gosched()
					inside.Add(-1)
					h.end()
					runtime.Gosched()
				}
			})
		}
		begun.Wait()
		ended := h.over()
		<-ended
		if n := inside.Load(); n != 0 {
			t.Fatalf("over, while %d handlers run", n)
		}
		if h.begin() {
			t.Fatal("a handler began after the end")
		}
		if h.over() != ended {
			t.Fatal("waiting twice waits for two ends")
		}
		calling.Wait()
	}
}
