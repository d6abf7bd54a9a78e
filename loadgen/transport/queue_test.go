package transport

import (
	"testing"

	"pgregory.net/rapid"
)

// TestQueue holds the queue to a slice that does the same.
func TestQueue(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var q queue
		var want []uint64
		n := uint64(0)
		for range rapid.IntRange(1, 60).Draw(t, "steps") {
			switch rapid.IntRange(0, 2).Draw(t, "what") {
			case 0:
				for range rapid.SampledFrom([]int{1, 3, 5000}).Draw(t, "how many") {
					n++
					q.push(waiter{use: n})
					want = append(want, n)
				}
			case 1:
				for range rapid.SampledFrom([]int{1, 3, 4000}).Draw(t, "how many") {
					first, ok := q.pop()
					if ok != (len(want) > 0) || ok && first.use != want[0] {
						t.Fatalf("popped %d, %v of %d", first.use, ok, len(want))
					}
					if ok {
						want = want[1:]
					}
				}
			case 2:
				if first, ok := q.pop(); ok {
					q.back(first)
				}
			}
			if q.len() != len(want) {
				t.Fatalf("%d wait, want %d", q.len(), len(want))
			}
		}
	})
}
