package balance

import (
	"math/rand/v2"
	"time"
)

// joinIdle is join-idle-queue (Lu et al., Performance 2011): an endpoint that
// falls idle queues for work, a request goes to the first in the queue, and
// anywhere when nobody is idle. In the paper instances announce themselves to
// one of the dispatchers; here one is idle when it has none of this caller's
// requests, which needs no help from it. Busy, it is random; and who fails at
// once is idle at once.
type joinIdle struct {
	members roster[idler]
	queue   []place // from head on
	head    int
	tickets int // given so far
	order   int // of members, when newcomers were last let in
	random  randomPicker
	lottery lottery
}

// idler is an endpoint: busy, or in the queue with its latest ticket.
type idler struct {
	pending int
	ticket  int // 0: not in the queue
}

// place is one in the queue. It is void when its holder has another ticket.
type place struct {
	of     *member[idler]
	ticket int
}

func (j *joinIdle) Pick(now time.Time, rng *rand.Rand, endpoints []Endpoint, _ Request) int {
	members := j.members.align(endpoints)
	if j.order != j.members.order {
		j.order = j.members.order
		j.admit(rng, members)
	}
	// Each is looked at once: those that cannot be had go to the back, and so
	// does the one that is picked, in case nothing is sent to it.
	for range len(j.queue) - j.head {
		first := j.queue[j.head]
		j.queue[j.head] = place{}
		j.head++
		m := first.of
		if first.ticket != m.know.ticket {
			continue
		}
		j.join(m)
		if m.index >= 0 && endpoints[m.index].Healthy && j.lottery.admits(rng, &endpoints[m.index]) {
			return m.index
		}
	}
	return j.random.Pick(now, rng, endpoints, noLoad{})
}

// admit queues newcomers, in an order of this caller's own.
func (j *joinIdle) admit(rng *rand.Rand, members []*member[idler]) {
	from := rng.IntN(len(members))
	for i := range members {
		m := members[(from+i)%len(members)]
		if m.know.pending == 0 && m.know.ticket == 0 {
			j.join(m)
		}
	}
}

// join puts an endpoint at the back of the queue, and nowhere else.
func (j *joinIdle) join(m *member[idler]) {
	if len(j.queue) == cap(j.queue) && 2*j.head > len(j.queue) { // move up rather than grow
		n := copy(j.queue, j.queue[j.head:])
		clear(j.queue[n:])
		j.queue, j.head = j.queue[:n], 0
	}
	j.tickets++
	m.know.ticket = j.tickets
	j.queue = append(j.queue, place{m, j.tickets})
}

func (j *joinIdle) Observe(e Event) {
	m := j.members.get(e.ID)
	if m == nil {
		return
	}
	switch e.Kind {
	case Sent:
		m.know.pending++
		m.know.ticket = 0
	case Done:
		if m.know.pending = max(0, m.know.pending-1); m.know.pending == 0 {
			j.join(m)
		}
	case Gone:
		m.know.ticket = 0
		j.members.forget(e.ID)
	case Probed:
	}
}
