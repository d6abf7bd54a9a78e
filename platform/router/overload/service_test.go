package overload

import (
	"container/heap"
	"math/rand/v2"
	"time"
)

var epoch = time.Date(2017, 10, 27, 14, 0, 0, 0, time.UTC)

// A service of ten workers that take 10 ms for a request does 1,000/s. What
// comes while all are busy waits inside it, first come, first served, and is
// worked on even when its caller is long gone: that is how overload turns into
// an outage.
const (
	workers  = 10
	workTime = 10 * time.Millisecond
	capacity = 1000 // a second
	patience = 100 * time.Millisecond
)

// world plays requests to that service through a door, in virtual time.
type world struct {
	door   *Door[int]
	rng    *rand.Rand
	now    time.Time
	events agenda
	free   [workers]time.Time
	broken func(now time.Time, rng *rand.Rand) bool // fails at once

	underWay, mostUnderWay int
	serial                 int
	levels                 map[int]Criticality // of those waiting
	level                  func(*rand.Rand) Criticality
	phase                  *tally
}

// tally is what became of the requests that arrived in a phase, or, of
// answers and failures, that ended in it.
type tally struct {
	arrived, sent, answered, failed int
	refused                         map[string]int
	answeredAt, arrivedAt           [levels]int
}

type event struct {
	at  time.Time
	seq int // of equal times, the first that was planned
	do  func()
}

type agenda []event

func (a agenda) Len() int { return len(a) }
func (a agenda) Less(i, j int) bool {
	return a[i].at.Before(a[j].at) || a[i].at.Equal(a[j].at) && a[i].seq < a[j].seq
}
func (a agenda) Swap(i, j int) { a[i], a[j] = a[j], a[i] }
func (a *agenda) Push(x any)   { *a = append(*a, x.(event)) }
func (a *agenda) Pop() any {
	last := (*a)[len(*a)-1]
	*a = (*a)[:len(*a)-1]
	return last
}

func newWorld(c Config) *world {
	return &world{
		door:   NewDoor[int](c),
		rng:    rand.New(rand.NewPCG(1, 2)),
		now:    epoch,
		broken: func(time.Time, *rand.Rand) bool { return false },
		level:  func(*rand.Rand) Criticality { return Critical },
		levels: map[int]Criticality{},
	}
}

func (w *world) plan(at time.Time, do func()) {
	w.serial++
	heap.Push(&w.events, event{at, w.serial, do})
}

// offer plays a phase of so many requests a second, and says what became of
// it.
func (w *world) offer(perS float64, long time.Duration) *tally {
	w.phase = &tally{refused: map[string]int{}}
	end := w.now.Add(long)
	var arrival func()
	arrival = func() {
		if w.now.After(end) {
			return
		}
		w.arrive()
		w.plan(w.now.Add(time.Duration(w.rng.ExpFloat64()/perS*float64(time.Second))), arrival)
	}
	if perS > 0 {
		w.plan(w.now, arrival)
	}
	for len(w.events) > 0 && !w.events[0].at.After(end) {
		e := heap.Pop(&w.events).(event)
		w.now = e.at
		e.do()
	}
	w.now = end
	return w.phase
}

func (w *world) arrive() {
	w.serial++
	who, level := w.serial, w.level(w.rng)
	w.phase.arrived++
	w.phase.arrivedAt[level]++
	switch a := w.door.Arrive(w.now, w.rng, level, who); {
	case a.Admitted:
		w.send(level, patience)
	case a.Waiting:
		w.levels[who] = level
		w.plan(a.Until, func() {
			if w.door.Leave(w.now, who) {
				w.phase.refused[ReasonQueue]++
			}
		})
	default:
		w.phase.refused[a.Reason]++
	}
}

func (w *world) send(level Criticality, left time.Duration) {
	w.underWay++
	w.mostUnderWay = max(w.mostUnderWay, w.underWay)
	w.phase.sent++
	if w.broken(w.now, w.rng) {
		w.plan(w.now.Add(time.Millisecond), func() { w.done(time.Millisecond, level, Failed) })
		return
	}
	first := 0
	for i := range w.free {
		if w.free[i].Before(w.free[first]) {
			first = i
		}
	}
	if w.free[first].Before(w.now) {
		w.free[first] = w.now
	}
	w.free[first] = w.free[first].Add(workTime)
	took, outcome := w.free[first].Sub(w.now), Answered
	if took > left {
		took, outcome = left, Failed
	}
	w.plan(w.now.Add(took), func() { w.done(took, level, outcome) })
}

func (w *world) done(took time.Duration, level Criticality, o Outcome) {
	w.underWay--
	if o == Answered {
		w.phase.answered++
		w.phase.answeredAt[level]++
	} else {
		w.phase.failed++
	}
	w.door.Done(w.now, took, o)
	for {
		turn, ok := w.door.Next(w.now, w.rng)
		if !ok {
			return
		}
		if turn.Admitted {
			w.send(w.levels[turn.Who], patience-QueueInterval/2)
		} else {
			w.phase.refused[turn.Reason]++
		}
		delete(w.levels, turn.Who)
	}
}
