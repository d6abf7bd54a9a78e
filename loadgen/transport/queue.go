package transport

import "slices"

// waiter is a call that waits, as it was begun.
type waiter struct {
	call *Call
	use  uint64
}

// queue is first in, first out, and takes the first back.
type queue struct {
	entries []waiter
	head    int
}

func (q *queue) len() int { return len(q.entries) - q.head }

func (q *queue) push(w waiter) { q.entries = append(q.entries, w) }

// pop takes the first.
func (q *queue) pop() (first waiter, ok bool) {
	if q.len() == 0 {
		return waiter{}, false
	}
	first = q.entries[q.head]
	q.entries[q.head] = waiter{}
	q.head++
	switch {
	case q.head == len(q.entries):
		q.entries, q.head = q.entries[:0], 0
	case q.head > 1024 && q.head > len(q.entries)/2:
		// One place stays free, for what is given back.
		n := copy(q.entries[1:], q.entries[q.head:])
		clear(q.entries[1+n:])
		q.entries, q.head = q.entries[:1+n], 1
	}
	return first, true
}

// back puts the first back to where it came from.
func (q *queue) back(w waiter) {
	if q.head == 0 {
		q.entries = slices.Insert(q.entries, 0, w)
		return
	}
	q.head--
	q.entries[q.head] = w
}
